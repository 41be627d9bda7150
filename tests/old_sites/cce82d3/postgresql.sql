--
-- PostgreSQL database dump
--


-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: procrastinate_3_10; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA procrastinate_3_10;


--
-- Name: procrastinate_job_event_type; Type: TYPE; Schema: procrastinate_3_10; Owner: -
--

CREATE TYPE procrastinate_3_10.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);


--
-- Name: procrastinate_job_status; Type: TYPE; Schema: procrastinate_3_10; Owner: -
--

CREATE TYPE procrastinate_3_10.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);


--
-- Name: procrastinate_job_to_defer_v1; Type: TYPE; Schema: procrastinate_3_10; Owner: -
--

CREATE TYPE procrastinate_3_10.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);


--
-- Name: procrastinate_cancel_job_v1(bigint, boolean, boolean); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;


--
-- Name: procrastinate_defer_jobs_v1(procrastinate_3_10.procrastinate_job_to_defer_v1[]); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_defer_jobs_v1(jobs procrastinate_3_10.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;

    RETURN job_ids;
END;
$$;


--
-- Name: procrastinate_defer_periodic_job_v2(character varying, character varying, character varying, character varying, integer, character varying, bigint, jsonb); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;

    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;

    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;

    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;

    RETURN _job_id;
END;
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: procrastinate_jobs; Type: TABLE; Schema: procrastinate_3_10; Owner: -
--

CREATE TABLE procrastinate_3_10.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    lock text,
    queueing_lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status procrastinate_3_10.procrastinate_job_status DEFAULT 'todo'::procrastinate_3_10.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::procrastinate_3_10.procrastinate_job_status) AND (abort_requested = true))))
);


--
-- Name: procrastinate_fetch_job_v2(character varying[], bigint); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS procrastinate_3_10.procrastinate_jobs
    LANGUAGE plpgsql
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;

 RETURN found_jobs;
END;
$$;


--
-- Name: procrastinate_finish_job_v1(bigint, procrastinate_3_10.procrastinate_job_status, boolean); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_finish_job_v1(job_id bigint, end_status procrastinate_3_10.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;


--
-- Name: procrastinate_notify_queue_abort_job_v1(); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_notify_queue_abort_job_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_notify_queue_job_inserted_v1(); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_prune_stalled_workers_v1(double precision); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;


--
-- Name: procrastinate_register_worker_v1(); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;


--
-- Name: procrastinate_retry_job_v1(bigint, timestamp with time zone, integer, character varying, character varying); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;


--
-- Name: procrastinate_retry_job_v2(bigint, timestamp with time zone, integer, character varying, character varying); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;

END;
$$;


--
-- Name: procrastinate_trigger_abort_requested_events_procedure_v1(); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;


--
-- Name: procrastinate_trigger_function_scheduled_events_v1(); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);

	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_trigger_function_status_events_insert_v1(); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_trigger_function_status_events_update_v1(); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;


--
-- Name: procrastinate_unlink_periodic_defers_v1(); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;


--
-- Name: procrastinate_unregister_worker_v1(bigint); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;


--
-- Name: procrastinate_update_heartbeat_v1(bigint); Type: FUNCTION; Schema: procrastinate_3_10; Owner: -
--

CREATE FUNCTION procrastinate_3_10.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;


--
-- Name: procrastinate_events; Type: TABLE; Schema: procrastinate_3_10; Owner: -
--

CREATE TABLE procrastinate_3_10.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type procrastinate_3_10.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
);


--
-- Name: procrastinate_events_id_seq; Type: SEQUENCE; Schema: procrastinate_3_10; Owner: -
--

CREATE SEQUENCE procrastinate_3_10.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: procrastinate_events_id_seq; Type: SEQUENCE OWNED BY; Schema: procrastinate_3_10; Owner: -
--

ALTER SEQUENCE procrastinate_3_10.procrastinate_events_id_seq OWNED BY procrastinate_3_10.procrastinate_events.id;


--
-- Name: procrastinate_jobs_id_seq; Type: SEQUENCE; Schema: procrastinate_3_10; Owner: -
--

CREATE SEQUENCE procrastinate_3_10.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: procrastinate_jobs_id_seq; Type: SEQUENCE OWNED BY; Schema: procrastinate_3_10; Owner: -
--

ALTER SEQUENCE procrastinate_3_10.procrastinate_jobs_id_seq OWNED BY procrastinate_3_10.procrastinate_jobs.id;


--
-- Name: procrastinate_periodic_defers; Type: TABLE; Schema: procrastinate_3_10; Owner: -
--

CREATE TABLE procrastinate_3_10.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);


--
-- Name: procrastinate_periodic_defers_id_seq; Type: SEQUENCE; Schema: procrastinate_3_10; Owner: -
--

CREATE SEQUENCE procrastinate_3_10.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: procrastinate_periodic_defers_id_seq; Type: SEQUENCE OWNED BY; Schema: procrastinate_3_10; Owner: -
--

ALTER SEQUENCE procrastinate_3_10.procrastinate_periodic_defers_id_seq OWNED BY procrastinate_3_10.procrastinate_periodic_defers.id;


--
-- Name: procrastinate_workers; Type: TABLE; Schema: procrastinate_3_10; Owner: -
--

CREATE TABLE procrastinate_3_10.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: procrastinate_workers_id_seq; Type: SEQUENCE; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE procrastinate_3_10.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME procrastinate_3_10.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: account; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.account (
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    email character varying(254) NOT NULL,
    user_name character varying(100) NOT NULL,
    password_hash character varying(255) NOT NULL,
    role character varying(16) NOT NULL,
    language character varying(8) NOT NULL,
    created_at timestamp without time zone NOT NULL,
    terms_version character varying(64) DEFAULT ''::character varying NOT NULL
);


--
-- Name: account_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: account_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.account_id_seq OWNED BY public.account.id;


--
-- Name: address_change; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.address_change (
    instance bigint NOT NULL,
    customer_id bigint NOT NULL,
    account_id bigint NOT NULL,
    account_name character varying(100) NOT NULL,
    old character varying(254) NOT NULL,
    new character varying(254) NOT NULL,
    language character varying(8) NOT NULL,
    slot character varying(100),
    asked_at timestamp without time zone NOT NULL
);


--
-- Name: application; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.application (
    instance bigint NOT NULL,
    customer_id bigint NOT NULL,
    email character varying(254) NOT NULL,
    user_name character varying(100) NOT NULL,
    password_hash character varying(255) NOT NULL,
    language character varying(8) NOT NULL,
    terms_version character varying(64) DEFAULT ''::character varying NOT NULL
);


--
-- Name: change_request; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.change_request (
    instance bigint NOT NULL,
    customer_id bigint NOT NULL,
    contract_id bigint,
    kind character varying(32) NOT NULL,
    slot character varying(100),
    asked_by bigint NOT NULL,
    asked_by_name character varying(100) NOT NULL,
    asked_at timestamp without time zone NOT NULL,
    before text NOT NULL,
    after text NOT NULL,
    quote text NOT NULL,
    effective_on date NOT NULL,
    reason character varying(1000) NOT NULL,
    reference character varying(200) NOT NULL
);


--
-- Name: contract; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.contract (
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    product character varying(32) NOT NULL,
    subdomain character varying(63) NOT NULL,
    term character varying(16) NOT NULL,
    payment_method character varying(32) NOT NULL,
    users integer NOT NULL,
    started_on date NOT NULL,
    ended_on date,
    options text NOT NULL,
    imported text NOT NULL
);


--
-- Name: contract_change; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.contract_change (
    instance bigint NOT NULL,
    wish character varying(120),
    withdrawn_by bigint NOT NULL,
    booking character varying(16) NOT NULL,
    booking_key character varying(200) NOT NULL,
    ahead character varying(80) DEFAULT ''::character varying NOT NULL
);


--
-- Name: contract_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.contract_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: contract_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.contract_id_seq OWNED BY public.contract.id;


--
-- Name: customer; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.customer (
    id bigint NOT NULL,
    number character varying(32) NOT NULL,
    company character varying(200) NOT NULL,
    channel character varying(16) NOT NULL,
    contractor_name character varying(200) NOT NULL,
    contractor_email character varying(254) NOT NULL,
    contractor_person character varying(200) NOT NULL,
    contractor_phone character varying(32) NOT NULL,
    contractor_postcode character varying(16) NOT NULL,
    contractor_address character varying(400) NOT NULL,
    billing_name character varying(200) NOT NULL,
    billing_postcode character varying(16) NOT NULL,
    billing_address character varying(400) NOT NULL,
    billing_mode character varying(16) NOT NULL,
    imported text NOT NULL
);


--
-- Name: customer_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.customer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: customer_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.customer_id_seq OWNED BY public.customer.id;


--
-- Name: definition; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.definition (
    name character varying(64) NOT NULL,
    version integer NOT NULL,
    digest character varying(64) NOT NULL
);


--
-- Name: faq_entry; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.faq_entry (
    id character varying(16) NOT NULL,
    instance bigint NOT NULL,
    category character varying(50) NOT NULL,
    product character varying(32) NOT NULL,
    "position" integer NOT NULL,
    question_ja character varying(200) NOT NULL,
    answer_ja text NOT NULL,
    question_en character varying(200) NOT NULL,
    answer_en text NOT NULL,
    shown integer NOT NULL,
    updated_at timestamp without time zone NOT NULL
);


--
-- Name: history; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.history (
    instance_id bigint NOT NULL,
    seq integer NOT NULL,
    event character varying(64) NOT NULL,
    source character varying(64) NOT NULL,
    target character varying(64) NOT NULL,
    actor character varying(128) NOT NULL,
    at timestamp without time zone NOT NULL,
    due_at timestamp without time zone,
    data text NOT NULL,
    mac bytea NOT NULL
);


--
-- Name: instance; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.instance (
    id bigint NOT NULL,
    workflow character varying(64) NOT NULL,
    version integer NOT NULL,
    subject character varying(128) NOT NULL,
    state character varying(64) NOT NULL,
    seq integer NOT NULL,
    generation integer NOT NULL,
    head bytea NOT NULL
);


--
-- Name: instance_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.instance_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: instance_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.instance_id_seq OWNED BY public.instance.id;


--
-- Name: invitation; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.invitation (
    instance bigint NOT NULL,
    customer_id bigint NOT NULL,
    email character varying(254),
    user_name character varying(100) NOT NULL,
    role character varying(16) NOT NULL,
    language character varying(8) NOT NULL,
    invited_by bigint NOT NULL,
    created_at timestamp without time zone NOT NULL,
    account_id bigint
);


--
-- Name: ledger_booking; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ledger_booking (
    id bigint NOT NULL,
    key character varying(200) NOT NULL,
    customer_number character varying(32) NOT NULL,
    contract bigint,
    kind character varying(32) NOT NULL,
    effective_on date NOT NULL,
    terms text NOT NULL,
    recurring_total bigint,
    due_total bigint,
    digest character varying(64) NOT NULL
);


--
-- Name: ledger_booking_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.ledger_booking_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: ledger_booking_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.ledger_booking_id_seq OWNED BY public.ledger_booking.id;


--
-- Name: mandate; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.mandate (
    id bigint NOT NULL,
    instance bigint NOT NULL,
    customer_id bigint NOT NULL,
    contract_id bigint NOT NULL,
    method character varying(32) NOT NULL,
    way character varying(8) NOT NULL,
    label character varying(200) NOT NULL,
    sealed text NOT NULL,
    reference character varying(255) NOT NULL,
    due_at timestamp without time zone,
    active_from date,
    ended_on date,
    in_use bigint,
    booking character varying(16) NOT NULL,
    booking_key character varying(200) DEFAULT ''::character varying NOT NULL
);


--
-- Name: mandate_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.mandate_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: mandate_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.mandate_id_seq OWNED BY public.mandate.id;


--
-- Name: migration_engine; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.migration_engine (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    applied timestamp without time zone NOT NULL
);


--
-- Name: migration_engine_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.migration_engine_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: migration_engine_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.migration_engine_id_seq OWNED BY public.migration_engine.id;


--
-- Name: migration_ledger; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.migration_ledger (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    applied timestamp without time zone NOT NULL
);


--
-- Name: migration_ledger_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.migration_ledger_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: migration_ledger_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.migration_ledger_id_seq OWNED BY public.migration_ledger.id;


--
-- Name: migration_workflows; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.migration_workflows (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    applied timestamp without time zone NOT NULL
);


--
-- Name: migration_workflows_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.migration_workflows_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: migration_workflows_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.migration_workflows_id_seq OWNED BY public.migration_workflows.id;


--
-- Name: notice; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.notice (
    id character varying(16) NOT NULL,
    instance bigint NOT NULL,
    kind character varying(16) NOT NULL,
    products text NOT NULL,
    status character varying(16) NOT NULL,
    window_start timestamp without time zone,
    window_end timestamp without time zone,
    publish_at timestamp without time zone,
    closes_at timestamp without time zone,
    revision integer NOT NULL,
    announced integer NOT NULL,
    updated_at timestamp without time zone NOT NULL
);


--
-- Name: notice_delivery; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.notice_delivery (
    id bigint NOT NULL,
    notice_id character varying(16) NOT NULL,
    revision integer NOT NULL,
    channel character varying(64) NOT NULL,
    recipient character varying(64) NOT NULL,
    state character varying(16) NOT NULL,
    attempts integer NOT NULL,
    due_at timestamp without time zone NOT NULL,
    give_up_at timestamp without time zone NOT NULL,
    error character varying(500) NOT NULL
);


--
-- Name: notice_delivery_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.notice_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: notice_delivery_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.notice_delivery_id_seq OWNED BY public.notice_delivery.id;


--
-- Name: notice_revision; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.notice_revision (
    id bigint NOT NULL,
    notice_id character varying(16) NOT NULL,
    number integer NOT NULL,
    at timestamp without time zone,
    status character varying(16) NOT NULL,
    window_start timestamp without time zone,
    window_end timestamp without time zone,
    title_ja character varying(200) NOT NULL,
    body_ja text NOT NULL,
    title_en character varying(200) NOT NULL,
    body_en text NOT NULL,
    notify integer NOT NULL,
    written_by bigint NOT NULL
);


--
-- Name: notice_revision_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.notice_revision_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: notice_revision_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.notice_revision_id_seq OWNED BY public.notice_revision.id;


--
-- Name: outbox; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.outbox (
    instance_id bigint NOT NULL,
    seq integer NOT NULL,
    "position" integer NOT NULL,
    kind character varying(32) NOT NULL,
    name character varying(64) NOT NULL,
    recipient character varying(64) NOT NULL,
    language character varying(8) NOT NULL,
    figures text NOT NULL,
    generation integer NOT NULL,
    state character varying(16) NOT NULL,
    attempts integer NOT NULL,
    claims integer NOT NULL,
    delivered integer NOT NULL,
    due_at timestamp without time zone NOT NULL,
    deadline_at timestamp without time zone NOT NULL,
    leased_by character varying(64) NOT NULL,
    error text NOT NULL
);


--
-- Name: password_reset; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.password_reset (
    account_id bigint NOT NULL,
    instance bigint NOT NULL
);


--
-- Name: payment_event; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.payment_event (
    id bigint NOT NULL,
    provider character varying(32) NOT NULL,
    event character varying(255) NOT NULL,
    instance bigint NOT NULL,
    received_at timestamp without time zone NOT NULL
);


--
-- Name: payment_event_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.payment_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: payment_event_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.payment_event_id_seq OWNED BY public.payment_event.id;


--
-- Name: pending_application; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pending_application (
    token character varying(64) NOT NULL,
    customer_id bigint NOT NULL,
    email character varying(254) NOT NULL,
    user_name character varying(100) NOT NULL,
    password_hash character varying(255) NOT NULL,
    expires_at timestamp without time zone NOT NULL
);


--
-- Name: removed_account; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.removed_account (
    instance bigint NOT NULL,
    customer_id bigint NOT NULL,
    email character varying(254) NOT NULL,
    user_name character varying(100) NOT NULL,
    language character varying(8) NOT NULL
);


--
-- Name: request; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.request (
    actor character varying(128) NOT NULL,
    key character varying(128) NOT NULL,
    instance_id bigint NOT NULL,
    seq integer NOT NULL,
    digest bytea NOT NULL
);


--
-- Name: session; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.session (
    token character varying(64) NOT NULL,
    account_id bigint NOT NULL,
    created_at timestamp without time zone NOT NULL,
    seen_at timestamp without time zone NOT NULL
);


--
-- Name: staff_member; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.staff_member (
    id bigint NOT NULL,
    email character varying(254) NOT NULL,
    name character varying(100) NOT NULL,
    password_hash character varying(255) NOT NULL,
    totp_secret character varying(255) NOT NULL,
    active integer NOT NULL,
    created_at timestamp without time zone NOT NULL,
    totp_step bigint DEFAULT 0 NOT NULL
);


--
-- Name: staff_member_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.staff_member_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: staff_member_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.staff_member_id_seq OWNED BY public.staff_member.id;


--
-- Name: staff_session; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.staff_session (
    token character varying(64) NOT NULL,
    member_id bigint NOT NULL,
    created_at timestamp without time zone NOT NULL,
    seen_at timestamp without time zone NOT NULL
);


--
-- Name: staff_set_up; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.staff_set_up (
    token character varying(64) NOT NULL,
    member_id bigint NOT NULL,
    totp_secret character varying(255) NOT NULL,
    expires_at timestamp without time zone NOT NULL
);


--
-- Name: throttle; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.throttle (
    bucket character varying(64) NOT NULL,
    full_at timestamp without time zone NOT NULL
);


--
-- Name: timer; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.timer (
    instance_id bigint NOT NULL,
    event character varying(64) NOT NULL,
    due_at timestamp without time zone NOT NULL,
    wake_at timestamp without time zone NOT NULL,
    failures integer NOT NULL,
    error text NOT NULL
);


--
-- Name: trace; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.trace (
    instance_id bigint NOT NULL,
    seq integer NOT NULL,
    traceparent character varying(55) NOT NULL
);


--
-- Name: procrastinate_events id; Type: DEFAULT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('procrastinate_3_10.procrastinate_events_id_seq'::regclass);


--
-- Name: procrastinate_jobs id; Type: DEFAULT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('procrastinate_3_10.procrastinate_jobs_id_seq'::regclass);


--
-- Name: procrastinate_periodic_defers id; Type: DEFAULT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('procrastinate_3_10.procrastinate_periodic_defers_id_seq'::regclass);


--
-- Name: account id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account ALTER COLUMN id SET DEFAULT nextval('public.account_id_seq'::regclass);


--
-- Name: contract id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.contract ALTER COLUMN id SET DEFAULT nextval('public.contract_id_seq'::regclass);


--
-- Name: customer id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.customer ALTER COLUMN id SET DEFAULT nextval('public.customer_id_seq'::regclass);


--
-- Name: instance id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.instance ALTER COLUMN id SET DEFAULT nextval('public.instance_id_seq'::regclass);


--
-- Name: ledger_booking id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger_booking ALTER COLUMN id SET DEFAULT nextval('public.ledger_booking_id_seq'::regclass);


--
-- Name: mandate id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.mandate ALTER COLUMN id SET DEFAULT nextval('public.mandate_id_seq'::regclass);


--
-- Name: migration_engine id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.migration_engine ALTER COLUMN id SET DEFAULT nextval('public.migration_engine_id_seq'::regclass);


--
-- Name: migration_ledger id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.migration_ledger ALTER COLUMN id SET DEFAULT nextval('public.migration_ledger_id_seq'::regclass);


--
-- Name: migration_workflows id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.migration_workflows ALTER COLUMN id SET DEFAULT nextval('public.migration_workflows_id_seq'::regclass);


--
-- Name: notice_delivery id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.notice_delivery ALTER COLUMN id SET DEFAULT nextval('public.notice_delivery_id_seq'::regclass);


--
-- Name: notice_revision id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.notice_revision ALTER COLUMN id SET DEFAULT nextval('public.notice_revision_id_seq'::regclass);


--
-- Name: payment_event id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.payment_event ALTER COLUMN id SET DEFAULT nextval('public.payment_event_id_seq'::regclass);


--
-- Name: staff_member id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.staff_member ALTER COLUMN id SET DEFAULT nextval('public.staff_member_id_seq'::regclass);


--
-- Data for Name: procrastinate_events; Type: TABLE DATA; Schema: procrastinate_3_10; Owner: -
--



--
-- Data for Name: procrastinate_jobs; Type: TABLE DATA; Schema: procrastinate_3_10; Owner: -
--



--
-- Data for Name: procrastinate_periodic_defers; Type: TABLE DATA; Schema: procrastinate_3_10; Owner: -
--



--
-- Data for Name: procrastinate_workers; Type: TABLE DATA; Schema: procrastinate_3_10; Owner: -
--



--
-- Data for Name: account; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.account VALUES (1, 2, 'yoso@other.example', '余所 次郎', '$argon2id$v=19$m=8,t=1,p=1$3/RhxAU6z53g8B/CTzokSg$MkQ30Vd242VdaO8rMED+kWhsSxQozWroWtoW2NMx6m8', 'admin', 'ja', '2026-04-01 09:00:00', '');
INSERT INTO public.account VALUES (2, 1, 'viewer@customer.example', '見本 viewer', '$argon2id$v=19$m=8,t=1,p=1$6AW+L8eUjM+0H4wzoLhQkA$9DlI+pNIwXzf+vOmnNVmrVWCj0GPn1FpEx8l4jY/sfM', 'viewer', 'ja', '2026-04-01 09:00:00', '');
INSERT INTO public.account VALUES (4, 1, 'admin@customer.example', '見本 admin', '$argon2id$v=19$m=8,t=1,p=1$sdfH2QI4zkv67gX433S8dg$2R9o0Lyi1bhFqJ+VPreRKgMFSu6RAtIKuCBnhpMTTXY', 'admin', 'ja', '2026-04-01 09:00:00', '');
INSERT INTO public.account VALUES (5, 1, 'todokanai@customer.example', '見本 不達子', '$argon2id$v=19$m=8,t=1,p=1$e/me3M7BQW4tYCadUP/toQ$GzFW4PgG7HifpPbs09Kpu1yZnX2e/WLqD4+MPsjqX9o', 'editor', 'ja', '2026-04-01 09:00:00', '');
INSERT INTO public.account VALUES (3, 1, 'editor@customer.example', '見本 editor', '$argon2id$v=19$m=8,t=1,p=1$J0LVVsl9x8Ym80ioplkksQ$l/1kFEiL9uGWz3Cs7+0nMO3v5jf5+70jpgt9PiibSmo', 'editor', 'ja', '2026-04-01 09:00:00', '');


--
-- Data for Name: address_change; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.address_change VALUES (16, 1, 2, '見本 viewer', 'viewer@customer.example', 'atarashii@customer.example', 'ja', 'account:2/login', '2026-04-01 09:00:00');
INSERT INTO public.address_change VALUES (17, 1, 4, '見本 admin', 'info@customer.example', 'keiyaku@customer.example', 'ja', 'customer:1/contractor', '2026-04-01 09:00:00');


--
-- Data for Name: application; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.application VALUES (13, 1, 'moushikomi@customer.example', '見本 花子', '$argon2id$v=19$m=8,t=1,p=1$qu4XR366I6vkdk4H6VyohA$1dV9apoUxESoNPMw6WnJMr1jLqtiGRxx3/JdgBqjTds', 'ja', 'a4ee98ab0a0cfc0a');


--
-- Data for Name: change_request; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.change_request VALUES (9, 1, 1, 'options', 'contract:1/options', 3, '見本 editor', '2026-04-01 09:00:00', '{"options": [], "payment_method": "bank_transfer", "product": "desknets-neo", "started_on": "2024-04-01", "subdomain": "mihon", "term": "monthly", "users": 30}', '{"options": ["appsuite"], "payment_method": "bank_transfer", "product": "desknets-neo", "started_on": "2024-04-01", "subdomain": "mihon", "term": "monthly", "users": 30}', '{"quote": {"digest": "ff37444ae46df41036c2ba4f31e96ea6290703135d95aee3d951ec563cc99dd2", "due": null, "recurring": {"lines": [[{"params": {}, "text": "ユーザーライセンス"}, 30, 600, 18000, "0.10"], ["AppSuite", 30, 320, 9600, "0.10"]], "net": 27600, "period": "month", "taxes": [["0.10", 27600, 2760]], "total": 30360}}}', '2026-05-01', '', '');
INSERT INTO public.change_request VALUES (10, 1, NULL, 'details', 'customer:1/details', 3, '見本 editor', '2026-04-01 09:00:00', '{"company": "株式会社みほん商事"}', '{"company": "株式会社みほん新社名"}', '', '2026-04-01', '', '');
INSERT INTO public.change_request VALUES (11, 1, 1, 'payment_method', 'contract:1/payment_method', 3, '見本 editor', '2026-04-01 09:00:00', '{"options": [], "payment_method": "bank_transfer", "product": "desknets-neo", "started_on": "2024-04-01", "subdomain": "mihon", "term": "monthly", "users": 30}', '{"options": [], "payment_method": "direct_debit", "product": "desknets-neo", "started_on": "2024-04-01", "subdomain": "mihon", "term": "monthly", "users": 30}', '', '2026-05-01', '', '');
INSERT INTO public.change_request VALUES (12, 1, 2, 'payment_method', 'contract:2/payment_method', 3, '見本 editor', '2026-04-01 09:00:00', '{"options": [], "payment_method": "bank_transfer", "product": "chatluck", "started_on": "2024-04-01", "subdomain": "mihon-chat", "term": "annual", "users": 30}', '{"options": [], "payment_method": "credit_card", "product": "chatluck", "started_on": "2024-04-01", "subdomain": "mihon-chat", "term": "annual", "users": 30}', '', '2026-05-01', '', '');


--
-- Data for Name: contract; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.contract VALUES (1, 1, 'desknets-neo', 'mihon', 'monthly', 'bank_transfer', 30, '2024-04-01', NULL, '', '');
INSERT INTO public.contract VALUES (2, 1, 'chatluck', 'mihon-chat', 'annual', 'bank_transfer', 30, '2024-04-01', NULL, '', '');
INSERT INTO public.contract VALUES (3, 2, 'desknets-neo', 'yoso', 'monthly', 'bank_transfer', 10, '2024-04-01', NULL, '', '');
INSERT INTO public.contract VALUES (4, 1, 'desknets-neo', 'mihon-2', 'monthly', 'bank_transfer', 20, '2024-04-01', NULL, '', '');


--
-- Data for Name: contract_change; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.contract_change VALUES (9, NULL, 0, '', '', '');


--
-- Data for Name: customer; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.customer VALUES (2, 'A09999999', '株式会社よその会社', 'direct', 'よその人', 'info@other.example', '', '', '', '', '', '', '', 'postcard', '');
INSERT INTO public.customer VALUES (1, 'A07770777', '株式会社みほん商事', 'direct', '見本 契太郎', 'info@customer.example', '情シス 見本子', '03-9876-5432', '987-6543', '東京都千代田区千代田9-9-9', '', '', '', 'postcard', '');


--
-- Data for Name: definition; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.definition VALUES ('account_creation', 1, 'a0c01f35b6d997a0f0304661ad7df53133c211b3338fd2bb287efcf9b399cb6d');
INSERT INTO public.definition VALUES ('account_invitation', 1, '0b238a39a49e91a0c74b71d1cad4d00e47ea4135f49f9d4ac66d24495051c029');
INSERT INTO public.definition VALUES ('account_role_change', 1, 'c76fd6b7db0df75ed95c5d0747e7703c9c68081b8ba762c65e014aa7a15ed450');
INSERT INTO public.definition VALUES ('account_removal', 1, '4b62d7bbfb25652e567de136b94eeacd134bea4aa90d8116bd7d6e1d8d3c9205');
INSERT INTO public.definition VALUES ('contract_change', 1, '4924c43f1385942b8bc2314dffda3173454b34c96f862926bb3cbe9a7c75aa08');
INSERT INTO public.definition VALUES ('customer_details_change', 1, 'b4ef81a0b3a3b34e03abc468c12c5605efb08c9a4bfabca40bc5e36c327e7a3e');
INSERT INTO public.definition VALUES ('payment_method_change', 1, 'a9c5ea73d73d4866488f44031357cd48e0588ebc556658dfbda0c2e79336691a');
INSERT INTO public.definition VALUES ('notice', 1, 'f257a7e9f4913070943e82f2369ce790ab2bdcd926e237e40b7d21909bdcc3cd');
INSERT INTO public.definition VALUES ('faq_entry', 1, 'a3c9b9782bff3581251639064ac448d6d7a84e057d719a5e850c99b9c591e175');
INSERT INTO public.definition VALUES ('password_change', 1, '94cf21d93c0af6a895e5368398b7b2055e3fd658aa2e3eedfe94f23748371b78');
INSERT INTO public.definition VALUES ('password_reset', 1, '15c7e7fbd1a65d1fc86b8ddf00a1b29f1ba17f0dbdf957c270df7722c6a7b0b4');
INSERT INTO public.definition VALUES ('account_profile_change', 1, 'd036229c56933d148cb00d25cacc1acfdb1ed955d41b051b96488d07a740421b');
INSERT INTO public.definition VALUES ('login_address_change', 1, '050ad02e3a4dfd9d8cfe4089985c894db6fb2f2c40fb7b69383cc3ded8e70ef9');
INSERT INTO public.definition VALUES ('contractor_email_change', 1, '1cc6d99dba143e29fa6703241007923e318ed420fd8281719b89b17177982bc5');


--
-- Data for Name: faq_entry; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.faq_entry VALUES ('de0000000001', 4, 'アカウント', '', 10, 'お客様番号はどこで確認できますか', 'ご開通時のメール、請求書ハガキ、PDF納品書／請求書に記載されています。', 'Where do I find our customer number?', 'In the mail of the opening, on the billing postcard, and on PDF delivery notes and invoices.', 1, '2026-04-01 09:00:00');
INSERT INTO public.faq_entry VALUES ('de0000000002', 5, 'アカウント', '', 20, 'アカウント作成のメールが届きません', '迷惑メールフォルダーをご確認ください。メールは aporder@desknets.com からお送りしています。', 'The mail with the link does not arrive', 'Please look in the junk folder. Our mails come from aporder@desknets.com.', 1, '2026-04-01 09:00:00');
INSERT INTO public.faq_entry VALUES ('de0000000003', 6, 'ご利用環境', '', 10, 'ディスク使用容量を確認したい', 'サポートサイトTOPの「貴社環境のディスク使用容量確認」でご覧いただけます。', 'How much disk space do we use?', 'See the disk usage on the TOP page of this site.', 1, '2026-04-01 09:00:00');


--
-- Data for Name: history; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.history VALUES (1, 1, 'start', '', 'draft', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\x7b706609046a63f0d19f9a5261c71f3937a0434f8d6327da58393b238e6f8333');
INSERT INTO public.history VALUES (1, 2, 'publish', 'draft', 'published', 'staff:1', '2026-04-01 09:00:00', NULL, '{"notify":false}', '\x6ca07b12e3f0a43f02db8c48affce97b39006ca925abb11aede3cb1fec327fbf');
INSERT INTO public.history VALUES (2, 1, 'start', '', 'draft', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\x180ae6fb086fd215f2c0dc0b27bd881f6a13f9790d75a8aa074000e8251742a0');
INSERT INTO public.history VALUES (2, 2, 'publish', 'draft', 'published', 'staff:1', '2026-04-01 09:00:00', NULL, '{"notify":false}', '\xee855f92c98d86fbaf34ab84a5ffa2fab55b4dcc731fbf0716591f922e663fe2');
INSERT INTO public.history VALUES (3, 1, 'start', '', 'draft', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\x8b51aa15f30e9400e05f31fef1e7d3ead2befcb7a0e51d6176523c0c69118b10');
INSERT INTO public.history VALUES (3, 2, 'publish', 'draft', 'published', 'staff:1', '2026-04-01 09:00:00', NULL, '{"notify":false}', '\x38af3b50e588ecef8e10337cef3180d0d9d0fc1d563dd6fd0343af551a4b4630');
INSERT INTO public.history VALUES (3, 3, 'update', 'published', 'published', 'staff:1', '2026-04-01 09:00:00', NULL, '{"notify":false,"status":"working"}', '\x2b6d855f8600eb80c73503423c236990b3734ce9c9cdee74394626294d20d6e3');
INSERT INTO public.history VALUES (4, 1, 'start', '', 'hidden', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\x9a92d7087168ab64a42d7b0616cd12c12368d48bafbfa2f8a5b14853e8129d42');
INSERT INTO public.history VALUES (4, 2, 'show', 'hidden', 'shown', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\xb234d3715af8ed61371603d2f55dadf871193cfbafa756e049c5a9fe5f78545d');
INSERT INTO public.history VALUES (5, 1, 'start', '', 'hidden', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\x965a578411e03cd5d5f37f9097de9365c85b97aab329170360b9bc9d45185e95');
INSERT INTO public.history VALUES (5, 2, 'show', 'hidden', 'shown', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\x4189da5453559c5df3959c9fdb49449a5a20aa23d92b69ab6dd252a3f33feffb');
INSERT INTO public.history VALUES (6, 1, 'start', '', 'hidden', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\xebffc0183eab9f70b1d0598e72c7c0b3b5b92920b77cb45c69527ab1e7ba29a8');
INSERT INTO public.history VALUES (6, 2, 'show', 'hidden', 'shown', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\x0bb805a80ca8e9d9279327b9da725ecc727c5c29d701ca0c1c803c6279150fa6');
INSERT INTO public.history VALUES (7, 1, 'start', '', 'draft', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\x4ae37ae8efb7e7c2bfbaeb5a660d97aac4d946aa8f89304b07247048878b544b');
INSERT INTO public.history VALUES (7, 2, 'publish', 'draft', 'published', 'staff:1', '2026-04-01 09:00:00', NULL, '{"notify":false}', '\x7eb6b22295f7c5518cd2c3300334f1218a1861b55b0b921f926a1277053b83ea');
INSERT INTO public.history VALUES (8, 1, 'start', '', 'draft', 'staff:1', '2026-04-01 09:00:00', NULL, '{}', '\x4e42c12e3a876c857aafcfe98e2da8b4d571c719326ffa4d83c1c2f1bdf8247a');
INSERT INTO public.history VALUES (9, 1, 'start', '', 'requested', 'account:3', '2026-04-01 09:00:00', NULL, '{"effective_on":"2026-05-01","kind":"options"}', '\xa09bd606dfa70f3203dadc688c3e98926ebbe95848ab970b2b672376da3af720');
INSERT INTO public.history VALUES (10, 1, 'start', '', 'requested', 'account:3', '2026-04-01 09:00:00', NULL, '{}', '\xb9727f2fcd3d6b6e4c2f85000620241e00a4f146a1757bf59d2aacc54ac79b97');
INSERT INTO public.history VALUES (11, 1, 'start', '', 'requested', 'account:3', '2026-04-01 09:00:00', NULL, '{"method":"direct_debit"}', '\xf07f41f94026cc702f6f86e09c962c84fdd75b725dec64cff38f3cc710704da9');
INSERT INTO public.history VALUES (12, 1, 'start', '', 'requested', 'account:3', '2026-04-01 09:00:00', NULL, '{"method":"credit_card"}', '\xbe9686ea2334ba8de8233e99e64241ac3e82527827ad5bdc96864d7c533c9f3a');
INSERT INTO public.history VALUES (9, 2, 'triage', 'requested', 'in_review', 'system', '2026-04-01 09:00:00', '2026-04-01 09:00:00', '{}', '\x24afed3c2734dd7dd6f1e39696e8d6025c74815bd216cbd43f58af309884c57d');
INSERT INTO public.history VALUES (10, 2, 'triage', 'requested', 'in_review', 'system', '2026-04-01 09:00:00', '2026-04-01 09:00:00', '{}', '\x52b7d5b415868469e92fe99c4cfc4b589b47656a4d7306f5baa9bc8081a7d696');
INSERT INTO public.history VALUES (11, 2, 'triage', 'requested', 'awaiting_form', 'system', '2026-04-01 09:00:00', '2026-04-01 09:00:00', '{}', '\x520ef8c5c8a3d0cffc6c2f5fcc056782c9777341666ce3a5f1549f34d488dedd');
INSERT INTO public.history VALUES (12, 2, 'triage', 'requested', 'awaiting_page', 'system', '2026-04-01 09:00:00', '2026-04-01 09:00:00', '{}', '\xbdf17f9e1c0425ab46cf59c6df9622f61380561991ed1b94ba2e08db9b351456');
INSERT INTO public.history VALUES (12, 3, 'open_page', 'awaiting_page', 'awaiting_page', 'account:3', '2026-04-01 09:00:00', NULL, '{}', '\x632fc9d59ea484431eec8a84be0e5dd93a2fb26c42a4cc1b49b378f63b4349f8');
INSERT INTO public.history VALUES (13, 1, 'start', '', 'requested', 'visitor:f5e4a82e2f68d24a', '2026-04-01 09:00:00', NULL, '{}', '\x90515eaa8cd2a4c9d826b743f35779b13f2d80c28519c38bb8e57b77cf5ce5a7');
INSERT INTO public.history VALUES (14, 1, 'start', '', 'requested', 'account:4', '2026-04-01 09:00:00', NULL, '{"role":"viewer"}', '\x8dbb4ef3b95d587a491675b479603e0ce9c587d22c44fcb975a56913dbfc6873');
INSERT INTO public.history VALUES (15, 1, 'start', '', 'asked', 'visitor', '2026-04-01 09:00:00', NULL, '{}', '\xa4f9113c0b928e0baa679862386b180359028cb5a439a5ac8158aad95ad8e1a5');
INSERT INTO public.history VALUES (16, 1, 'start', '', 'requested', 'account:2', '2026-04-01 09:00:00', NULL, '{}', '\x024c137dbbbf4760d5755a5f85251b5936b4e81290cca95de3ba54708cec66a0');
INSERT INTO public.history VALUES (17, 1, 'start', '', 'requested', 'account:4', '2026-04-01 09:00:00', NULL, '{}', '\x6fb78f71dcf40b9f8595321d3eb2cd879ef98db5776c22f5bb3beff14f425ac2');
INSERT INTO public.history VALUES (15, 2, 'look', 'asked', 'requested', 'system', '2026-04-01 09:00:00', '2026-04-01 09:00:00', '{}', '\xd3b65363ac2ae1d22dc8bf6c97666985beec2d215358d83e3f4b427ffc58f1ca');
INSERT INTO public.history VALUES (13, 2, 'sent', 'requested', 'emailed', 'system', '2026-04-01 09:00:00', NULL, '{}', '\xaa35721026c10f52e1670ae4903ddd719c7b20b8e57d7391b01c6c92e9d4ff93');
INSERT INTO public.history VALUES (14, 2, 'sent', 'requested', 'emailed', 'system', '2026-04-01 09:00:00', NULL, '{}', '\x9cacfd6ffcb573890432d3bfc51fe772b5159678cb6fa9d7aea4508427be234d');
INSERT INTO public.history VALUES (16, 2, 'sent', 'requested', 'emailed', 'system', '2026-04-01 09:00:00', NULL, '{}', '\x46f9728ab41e931768d8c48add2e42558d75bc22946cf7b02b7765f8e6cfb000');
INSERT INTO public.history VALUES (17, 2, 'sent', 'requested', 'emailed', 'system', '2026-04-01 09:00:00', NULL, '{}', '\x8c1be87604363d84751aee591cf95714d090f58e44d95d85530be446536ae44a');
INSERT INTO public.history VALUES (15, 3, 'sent', 'requested', 'emailed', 'system', '2026-04-01 09:00:00', NULL, '{}', '\x5bbedd658308c83587013ae91293dd52143bcdf36a26b4e7f1bbb7d0aecbae9a');
INSERT INTO public.history VALUES (18, 1, 'start', '', 'changed', 'account:4', '2026-04-01 09:00:00', NULL, '{"role":"editor"}', '\xef8f295f10334fabec162d42eb1ec8375390fd79f592a2bbc88a7fbd954e6264');
INSERT INTO public.history VALUES (19, 1, 'start', '', 'requested', 'account:4', '2026-04-01 09:00:00', NULL, '{"role":"viewer"}', '\xf51bb4e391c4f7ddd5397cbccdaa331877b19727f0d9757cffa41a2bbf8e9438');


--
-- Data for Name: instance; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.instance VALUES (1, 'notice', 1, 'notice:de0000000001', 'published', 2, 0, '\x6ca07b12e3f0a43f02db8c48affce97b39006ca925abb11aede3cb1fec327fbf');
INSERT INTO public.instance VALUES (2, 'notice', 1, 'notice:de0000000002', 'published', 2, 0, '\xee855f92c98d86fbaf34ab84a5ffa2fab55b4dcc731fbf0716591f922e663fe2');
INSERT INTO public.instance VALUES (3, 'notice', 1, 'notice:de0000000003', 'published', 3, 0, '\x2b6d855f8600eb80c73503423c236990b3734ce9c9cdee74394626294d20d6e3');
INSERT INTO public.instance VALUES (4, 'faq_entry', 1, 'faq:de0000000001', 'shown', 2, 0, '\xb234d3715af8ed61371603d2f55dadf871193cfbafa756e049c5a9fe5f78545d');
INSERT INTO public.instance VALUES (5, 'faq_entry', 1, 'faq:de0000000002', 'shown', 2, 0, '\x4189da5453559c5df3959c9fdb49449a5a20aa23d92b69ab6dd252a3f33feffb');
INSERT INTO public.instance VALUES (6, 'faq_entry', 1, 'faq:de0000000003', 'shown', 2, 0, '\x0bb805a80ca8e9d9279327b9da725ecc727c5c29d701ca0c1c803c6279150fa6');
INSERT INTO public.instance VALUES (7, 'notice', 1, 'notice:aaaaaaaaaaaa', 'published', 2, 0, '\x7eb6b22295f7c5518cd2c3300334f1218a1861b55b0b921f926a1277053b83ea');
INSERT INTO public.instance VALUES (8, 'notice', 1, 'notice:bbbbbbbbbbbb', 'draft', 1, 0, '\x4e42c12e3a876c857aafcfe98e2da8b4d571c719326ffa4d83c1c2f1bdf8247a');
INSERT INTO public.instance VALUES (9, 'contract_change', 1, 'contract:1', 'in_review', 2, 0, '\x24afed3c2734dd7dd6f1e39696e8d6025c74815bd216cbd43f58af309884c57d');
INSERT INTO public.instance VALUES (10, 'customer_details_change', 1, 'customer:1', 'in_review', 2, 0, '\x52b7d5b415868469e92fe99c4cfc4b589b47656a4d7306f5baa9bc8081a7d696');
INSERT INTO public.instance VALUES (11, 'payment_method_change', 1, 'contract:1', 'awaiting_form', 2, 0, '\x520ef8c5c8a3d0cffc6c2f5fcc056782c9777341666ce3a5f1549f34d488dedd');
INSERT INTO public.instance VALUES (12, 'payment_method_change', 1, 'contract:2', 'awaiting_page', 3, 0, '\x632fc9d59ea484431eec8a84be0e5dd93a2fb26c42a4cc1b49b378f63b4349f8');
INSERT INTO public.instance VALUES (13, 'account_creation', 1, 'customer:1', 'emailed', 2, 0, '\xaa35721026c10f52e1670ae4903ddd719c7b20b8e57d7391b01c6c92e9d4ff93');
INSERT INTO public.instance VALUES (14, 'account_invitation', 1, 'customer:1', 'emailed', 2, 0, '\x9cacfd6ffcb573890432d3bfc51fe772b5159678cb6fa9d7aea4508427be234d');
INSERT INTO public.instance VALUES (16, 'login_address_change', 1, 'account:2', 'emailed', 2, 0, '\x46f9728ab41e931768d8c48add2e42558d75bc22946cf7b02b7765f8e6cfb000');
INSERT INTO public.instance VALUES (17, 'contractor_email_change', 1, 'customer:1', 'emailed', 2, 0, '\x8c1be87604363d84751aee591cf95714d090f58e44d95d85530be446536ae44a');
INSERT INTO public.instance VALUES (15, 'password_reset', 1, 'account:2', 'emailed', 3, 0, '\x5bbedd658308c83587013ae91293dd52143bcdf36a26b4e7f1bbb7d0aecbae9a');
INSERT INTO public.instance VALUES (18, 'account_role_change', 1, 'account:5', 'changed', 1, 0, '\xef8f295f10334fabec162d42eb1ec8375390fd79f592a2bbc88a7fbd954e6264');
INSERT INTO public.instance VALUES (19, 'account_invitation', 1, 'customer:1', 'requested', 1, 0, '\xf51bb4e391c4f7ddd5397cbccdaa331877b19727f0d9757cffa41a2bbf8e9438');


--
-- Data for Name: invitation; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.invitation VALUES (14, 1, 'shotai@customer.example', '見本 招待子', 'viewer', 'ja', 4, '2026-04-01 09:00:00', NULL);
INSERT INTO public.invitation VALUES (19, 1, 'machi@customer.example', '見本 待子', 'viewer', 'ja', 4, '2026-04-01 09:00:00', NULL);


--
-- Data for Name: ledger_booking; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: mandate; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.mandate VALUES (1, 11, 1, 1, 'direct_debit', 'form', 'みずほ銀行 丸之内支店 普通 ****567', 'SXOlpEVY5SuKbEB3XhmTDsAVNycANOFq6zHkBX3Lmd0971Yt4zdojSAoYzV6geqB0bBTt3WQ3fX58aBuy9N7_SgVY0Dt78e4rnaxlO9Uxis14LSyofBMFsjjX5koJKnhTEZq4_GFESk61TJTdejlt6sTJNjFI8An5cRp-cx3gHpjZh5oGV7vRnGN_zytz0ZWkm7Si0s6pjRPaLK49yzIMVir8--EcS0ShxqnqMLbAmmUtZ9H-LzYjJr42PKwx-dp9EFRYHlcvICHHnSFGisbMA==', '', '2026-05-31 09:00:00', NULL, NULL, NULL, '', '');
INSERT INTO public.mandate VALUES (2, 12, 1, 2, 'credit_card', 'page', '', '', 'b9a4249199a19f8356e07527a56f851a', '2026-04-02 09:00:00', NULL, NULL, NULL, '', '');


--
-- Data for Name: migration_engine; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.migration_engine VALUES (1, '0001_engine', '2026-11-28 14:53:03.064968');
INSERT INTO public.migration_engine VALUES (2, '0003_watching', '2026-11-28 14:53:03.088045');
INSERT INTO public.migration_engine VALUES (3, '0004_places', '2026-11-28 14:53:03.091101');


--
-- Data for Name: migration_ledger; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.migration_ledger VALUES (1, '0001_bookings', '2026-11-28 14:53:03.212442');


--
-- Data for Name: migration_workflows; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.migration_workflows VALUES (1, '0001_records', '2026-11-28 14:53:03.122491');
INSERT INTO public.migration_workflows VALUES (2, '0002_requests', '2026-11-28 14:53:03.131396');
INSERT INTO public.migration_workflows VALUES (3, '0003_invitations', '2026-11-28 14:53:03.144106');
INSERT INTO public.migration_workflows VALUES (4, '0004_address_changes', '2026-11-28 14:53:03.149251');
INSERT INTO public.migration_workflows VALUES (5, '0006_contract_change', '2026-11-28 14:53:03.159802');
INSERT INTO public.migration_workflows VALUES (6, '0007_payments', '2026-11-28 14:53:03.166773');
INSERT INTO public.migration_workflows VALUES (7, '0008_staff', '2026-11-28 14:53:03.173798');
INSERT INTO public.migration_workflows VALUES (8, '0009_notices', '2026-11-28 14:53:03.186139');
INSERT INTO public.migration_workflows VALUES (9, '0010_booking_keys', '2026-11-28 14:53:03.190799');
INSERT INTO public.migration_workflows VALUES (10, '0012_changes_ahead', '2026-11-28 14:53:03.198693');


--
-- Data for Name: notice; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.notice VALUES ('de0000000001', 1, 'news', '', '', NULL, NULL, '2026-04-01 09:00:00', '2027-04-01 09:00:00', 1, 0, '2026-04-01 09:00:00');
INSERT INTO public.notice VALUES ('de0000000002', 2, 'maintenance', 'desknets-neo', '', '2026-04-10 13:00:00', '2026-04-10 17:00:00', '2026-04-01 09:00:00', '2026-04-13 17:00:00', 1, 0, '2026-04-01 09:00:00');
INSERT INTO public.notice VALUES ('de0000000003', 3, 'outage', 'desknets-neo', 'working', NULL, NULL, '2026-04-01 09:00:00', '2027-04-01 09:00:00', 2, 0, '2026-04-01 09:00:00');
INSERT INTO public.notice VALUES ('aaaaaaaaaaaa', 7, 'outage', 'chatluck', 'investigating', NULL, NULL, '2026-04-01 09:00:00', '2027-04-01 09:00:00', 1, 0, '2026-04-01 09:00:00');
INSERT INTO public.notice VALUES ('bbbbbbbbbbbb', 8, 'outage', 'chatluck', 'investigating', NULL, NULL, NULL, NULL, 1, 0, '2026-04-01 09:00:00');


--
-- Data for Name: notice_delivery; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: notice_revision; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.notice_revision VALUES (1, 'de0000000001', 1, '2026-04-01 09:00:00', '', NULL, NULL, 'サポートサイトを開設しました', 'ご契約内容の確認やお手続きを、当サイトから行っていただけるようになりました。

どうぞご利用ください。', 'The support site is open', 'You can now look at your contract and ask for changes on this site.', 0, 1);
INSERT INTO public.notice_revision VALUES (2, 'de0000000002', 1, '2026-04-01 09:00:00', '', '2026-04-10 13:00:00', '2026-04-10 17:00:00', '定期メンテナンスのお知らせ', 'サーバーの定期メンテナンスを実施します。
期間中はサービスをご利用いただけません。', 'Regular maintenance', 'We will maintain the servers. The service will not be available during this time.', 0, 1);
INSERT INTO public.notice_revision VALUES (3, 'de0000000003', 1, '2026-04-01 09:00:00', 'investigating', NULL, NULL, '一部のお客様でログインに時間がかかる事象について', '現在、一部のお客様でログインに時間がかかる事象が発生しており、原因を調査しております。', 'Slow log-in for some customers', 'Logging in takes long for some customers. We are looking into it.', 0, 1);
INSERT INTO public.notice_revision VALUES (4, 'de0000000003', 2, '2026-04-01 09:00:00', 'working', NULL, NULL, '一部のお客様でログインに時間がかかる事象について', '原因を特定し、復旧作業を進めております。復旧までいましばらくお待ちください。', 'Slow log-in for some customers', 'We have found the cause and are working on it. Thank you for your patience.', 0, 1);
INSERT INTO public.notice_revision VALUES (5, 'aaaaaaaaaaaa', 1, '2026-04-01 09:00:00', 'investigating', NULL, NULL, 'チャットの障害について', '調べています。', 'Trouble', 'We look into it.', 0, 1);
INSERT INTO public.notice_revision VALUES (6, 'bbbbbbbbbbbb', 1, NULL, 'investigating', NULL, NULL, 'チャットの障害について', '調べています。', 'Trouble', 'We look into it.', 0, 1);


--
-- Data for Name: outbox; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.outbox VALUES (1, 2, 0, 'notice', 'announcement', '', '', '{"revision":1}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (2, 2, 0, 'notice', 'announcement', '', '', '{"revision":1}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (3, 2, 0, 'notice', 'announcement', '', '', '{"revision":1}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (3, 3, 0, 'notice', 'announcement', '', '', '{"revision":2}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (7, 2, 0, 'notice', 'announcement', '', '', '{"revision":1}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (9, 1, 0, 'mail', 'contract_change_receipt', 'contractor', 'ja', '{"effective_on":"2026-05-01"}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (10, 1, 0, 'mail', 'details_received', 'contractor', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (11, 1, 0, 'mail', 'received', 'contractor', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (12, 1, 0, 'mail', 'received', 'contractor', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (9, 2, 0, 'mail', 'contract_change_review', 'staff', 'ja', '{"effective_on":"2026-05-01"}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (10, 2, 0, 'mail', 'details_review', 'staff', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (11, 2, 0, 'mail', 'form_ready', 'contractor', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (12, 2, 0, 'payment', 'confirm', '', '', '{}', 0, 'waiting', 1, 1, 0, '2026-04-01 09:05:00', '2026-04-03 09:00:00', 'vm:504ac2f4e59c', 'the provider''s page was not opened yet');
INSERT INTO public.outbox VALUES (13, 1, 0, 'mail', 'account_creation', 'applicant', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (14, 1, 0, 'mail', 'account_invitation', 'invited', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (16, 1, 0, 'mail', 'login_address_confirm', 'new', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (16, 1, 1, 'mail', 'login_address_notice', 'old', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (17, 1, 0, 'mail', 'contractor_email_confirm', 'new', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (17, 1, 1, 'mail', 'contractor_email_notice', 'old', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (15, 2, 0, 'mail', 'password_reset', 'account', 'ja', '{}', 0, 'done', 1, 1, 0, '2026-04-01 09:04:00', '2026-04-01 21:00:00', 'vm:504ac2f4e59c', '');
INSERT INTO public.outbox VALUES (18, 1, 0, 'mail', 'role_changed', 'account', 'ja', '{"role":"editor"}', 0, 'incident', 1, 1, 0, '2026-04-01 09:00:00', '2026-04-04 09:00:00', 'vm:504ac2f4e59c', '550: no such user');
INSERT INTO public.outbox VALUES (19, 1, 0, 'mail', 'account_invitation', 'invited', 'ja', '{}', 0, 'waiting', 0, 0, 0, '2026-04-01 09:00:00', '2026-04-04 09:00:00', '', '');


--
-- Data for Name: password_reset; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.password_reset VALUES (2, 15);


--
-- Data for Name: payment_event; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: pending_application; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.pending_application VALUES ('ea4b19e41be72ebbfd5bcb0bdee3babf2b70625b086faef96936aa31af69206e', 1, 'moushikomi@customer.example', '見本 花子', '$argon2id$v=19$m=8,t=1,p=1$qu4XR366I6vkdk4H6VyohA$1dV9apoUxESoNPMw6WnJMr1jLqtiGRxx3/JdgBqjTds', '2026-04-01 09:01:00');


--
-- Data for Name: removed_account; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: request; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.request VALUES ('visitor:f5e4a82e2f68d24a', 'f5e4a82e2f68d24a-e0f58a4809d2abef', 13, 1, '\xc3b83ee2b43b5c3634b5a09fa0673449a37710ac14639321161d8c567111db2f');


--
-- Data for Name: session; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.session VALUES ('525d8d1e03194fecbb7c27d2aff39518d409126737157e30e52d41cca6b49dfc', 3, '2026-04-01 09:00:00', '2026-04-01 09:00:00');
INSERT INTO public.session VALUES ('c41f3e87723e8ced3f6d4eeb7c4d76498b281c2c32c69741fccff28ba2d5e8d0', 3, '2026-04-01 09:00:00', '2026-04-01 09:00:00');


--
-- Data for Name: staff_member; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.staff_member VALUES (1, 'tanto@office.example', '担当 一郎', '$argon2id$v=19$m=8,t=1,p=1$EkM/EI8z43dTNmPaFOEFJw$O/A8meHI+TfndT4SOe0GdfAiiCTetm3VAAjXmHBk+84', '8bGchfOU0va-boIEgoCfJ6t7wuOUARpryszUExicYpBkrt7jpqDG4PlyzEZ759gFKK-627lDuGo-ebje', 1, '2026-04-01 09:00:00', 59167799);
INSERT INTO public.staff_member VALUES (2, 'taishoku@office.example', '退職 次郎', '$argon2id$v=19$m=8,t=1,p=1$UBx2UVuUxOhtct0/S/nxUg$7T254Thzy+1AynRZPPzZnmQSYBYm4YA4Frm3s33nUpQ', 'PPvHTyNZZL3OmeprR12HIh2nutPx7laG78QwSBOpDCC0tmdesjqISj9mtuFJd5XcTUMyYnTXo9ahtIS9', 1, '2026-04-01 09:00:00', 59167799);
INSERT INTO public.staff_member VALUES (3, 'shinjin@office.example', '新人 三郎', '', '', 1, '2026-04-01 09:00:00', 0);


--
-- Data for Name: staff_session; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: staff_set_up; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.staff_set_up VALUES ('6ea22fe437c48d59261bf798e78d9afef1da2ba78f4707086178d6582ed3c388', 3, 'wZpzS5htjmGa_Tnki5xlWH-Q0S1InB5FgdP0b3I_q_nDdg2gwRYEdr9ineIKCd0W3kCBobL-zFdvbNPA', '2026-04-02 09:00:00');


--
-- Data for Name: throttle; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.throttle VALUES ('7d57cf54f902d8f1b53b824820de66759f812b46bac6ecf9621b5ad90d3f3306', '2026-04-01 09:00:00');
INSERT INTO public.throttle VALUES ('d7c45cca79ce2ee68b0a29b53dba717e2e9508de57c31080f78dc1b085fa825a', '2026-04-01 09:00:00');
INSERT INTO public.throttle VALUES ('1f869d526d7c3cc6d26c227c76ac5e13facea7238ddef9e0c95cca7af75fa1b8', '2026-04-01 09:00:00');
INSERT INTO public.throttle VALUES ('1e5eb4023499bbc8f263a5e48ad736e7a5fb0de258bad3f0c1734c746a2689cb', '2026-04-01 09:15:00');
INSERT INTO public.throttle VALUES ('eedffd58c12dd37071ae3adf97ca328066e058b99d8a0eb56f73544d0e50ab56', '2026-04-01 10:00:00');
INSERT INTO public.throttle VALUES ('98c056a437165b19e3457e3e66bd8d973b3b6d7e09bf32362befd0d6eabe1d0d', '2026-04-01 09:00:00');
INSERT INTO public.throttle VALUES ('6b9bd1cece08d0b8005389816c0130aee70d7937620e531b8ca13e0c11477095', '2026-04-01 09:00:00');
INSERT INTO public.throttle VALUES ('140416f3ff9f4e1572c5420cfce555325a229110647e2082530525f3396481a3', '2026-04-01 09:00:00');
INSERT INTO public.throttle VALUES ('83e712b8174d063270beef1d817929ede4ebf10c992cdd4a0c3a6549e3fc6516', '2026-04-01 09:00:00');


--
-- Data for Name: timer; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.timer VALUES (1, 'expire', '2027-04-01 09:00:00', '2027-04-01 09:00:00', 0, '');
INSERT INTO public.timer VALUES (2, 'expire', '2026-04-13 17:00:00', '2026-04-13 17:00:00', 0, '');
INSERT INTO public.timer VALUES (3, 'expire', '2027-04-01 09:00:00', '2027-04-01 09:00:00', 0, '');
INSERT INTO public.timer VALUES (7, 'expire', '2027-04-01 09:00:00', '2027-04-01 09:00:00', 0, '');
INSERT INTO public.timer VALUES (9, 'remind', '2026-04-06 08:30:00', '2026-04-06 08:30:00', 0, '');
INSERT INTO public.timer VALUES (10, 'remind', '2026-04-06 08:30:00', '2026-04-06 08:30:00', 0, '');
INSERT INTO public.timer VALUES (11, 'lapse', '2026-05-31 09:00:00', '2026-05-31 09:00:00', 0, '');
INSERT INTO public.timer VALUES (11, 'remind', '2026-04-21 09:00:00', '2026-04-21 09:00:00', 0, '');
INSERT INTO public.timer VALUES (12, 'lapse', '2026-04-02 09:00:00', '2026-04-02 09:00:00', 0, '');
INSERT INTO public.timer VALUES (13, 'expire', '2026-04-02 09:00:00', '2026-04-02 09:00:00', 0, '');
INSERT INTO public.timer VALUES (14, 'expire', '2026-04-02 09:00:00', '2026-04-02 09:00:00', 0, '');
INSERT INTO public.timer VALUES (16, 'expire', '2026-04-02 09:00:00', '2026-04-02 09:00:00', 0, '');
INSERT INTO public.timer VALUES (17, 'expire', '2026-04-02 09:00:00', '2026-04-02 09:00:00', 0, '');
INSERT INTO public.timer VALUES (15, 'expire', '2026-04-01 10:00:00', '2026-04-01 10:00:00', 0, '');
INSERT INTO public.timer VALUES (19, 'expire', '2026-04-04 09:00:00', '2026-04-04 09:00:00', 0, '');


--
-- Data for Name: trace; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Name: procrastinate_events_id_seq; Type: SEQUENCE SET; Schema: procrastinate_3_10; Owner: -
--

SELECT pg_catalog.setval('procrastinate_3_10.procrastinate_events_id_seq', 1, false);


--
-- Name: procrastinate_jobs_id_seq; Type: SEQUENCE SET; Schema: procrastinate_3_10; Owner: -
--

SELECT pg_catalog.setval('procrastinate_3_10.procrastinate_jobs_id_seq', 1, false);


--
-- Name: procrastinate_periodic_defers_id_seq; Type: SEQUENCE SET; Schema: procrastinate_3_10; Owner: -
--

SELECT pg_catalog.setval('procrastinate_3_10.procrastinate_periodic_defers_id_seq', 1, false);


--
-- Name: procrastinate_workers_id_seq; Type: SEQUENCE SET; Schema: procrastinate_3_10; Owner: -
--

SELECT pg_catalog.setval('procrastinate_3_10.procrastinate_workers_id_seq', 1, false);


--
-- Name: account_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.account_id_seq', 5, true);


--
-- Name: contract_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.contract_id_seq', 4, true);


--
-- Name: customer_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.customer_id_seq', 2, true);


--
-- Name: instance_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.instance_id_seq', 19, true);


--
-- Name: ledger_booking_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.ledger_booking_id_seq', 1, false);


--
-- Name: mandate_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.mandate_id_seq', 2, true);


--
-- Name: migration_engine_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.migration_engine_id_seq', 3, true);


--
-- Name: migration_ledger_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.migration_ledger_id_seq', 1, true);


--
-- Name: migration_workflows_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.migration_workflows_id_seq', 10, true);


--
-- Name: notice_delivery_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.notice_delivery_id_seq', 1, false);


--
-- Name: notice_revision_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.notice_revision_id_seq', 6, true);


--
-- Name: payment_event_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.payment_event_id_seq', 1, false);


--
-- Name: staff_member_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.staff_member_id_seq', 3, true);


--
-- Name: procrastinate_events procrastinate_events_pkey; Type: CONSTRAINT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);


--
-- Name: procrastinate_jobs procrastinate_jobs_pkey; Type: CONSTRAINT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);


--
-- Name: procrastinate_periodic_defers procrastinate_periodic_defers_pkey; Type: CONSTRAINT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);


--
-- Name: procrastinate_periodic_defers procrastinate_periodic_defers_unique; Type: CONSTRAINT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);


--
-- Name: procrastinate_workers procrastinate_workers_pkey; Type: CONSTRAINT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);


--
-- Name: account account_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (id);


--
-- Name: address_change address_change_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.address_change
    ADD CONSTRAINT address_change_pkey PRIMARY KEY (instance);


--
-- Name: application application_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.application
    ADD CONSTRAINT application_pkey PRIMARY KEY (instance);


--
-- Name: change_request change_request_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.change_request
    ADD CONSTRAINT change_request_pkey PRIMARY KEY (instance);


--
-- Name: contract_change contract_change_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.contract_change
    ADD CONSTRAINT contract_change_pkey PRIMARY KEY (instance);


--
-- Name: contract contract_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.contract
    ADD CONSTRAINT contract_pkey PRIMARY KEY (id);


--
-- Name: customer customer_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);


--
-- Name: definition definition_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.definition
    ADD CONSTRAINT definition_pkey PRIMARY KEY (name, version);


--
-- Name: faq_entry faq_entry_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.faq_entry
    ADD CONSTRAINT faq_entry_pkey PRIMARY KEY (id);


--
-- Name: history history_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (instance_id, seq);


--
-- Name: instance instance_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (id);


--
-- Name: invitation invitation_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.invitation
    ADD CONSTRAINT invitation_pkey PRIMARY KEY (instance);


--
-- Name: ledger_booking ledger_booking_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger_booking
    ADD CONSTRAINT ledger_booking_pkey PRIMARY KEY (id);


--
-- Name: mandate mandate_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.mandate
    ADD CONSTRAINT mandate_pkey PRIMARY KEY (id);


--
-- Name: migration_engine migration_engine_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.migration_engine
    ADD CONSTRAINT migration_engine_pkey PRIMARY KEY (id);


--
-- Name: migration_ledger migration_ledger_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.migration_ledger
    ADD CONSTRAINT migration_ledger_pkey PRIMARY KEY (id);


--
-- Name: migration_workflows migration_workflows_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.migration_workflows
    ADD CONSTRAINT migration_workflows_pkey PRIMARY KEY (id);


--
-- Name: notice_delivery notice_delivery_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.notice_delivery
    ADD CONSTRAINT notice_delivery_pkey PRIMARY KEY (id);


--
-- Name: notice notice_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.notice
    ADD CONSTRAINT notice_pkey PRIMARY KEY (id);


--
-- Name: notice_revision notice_revision_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.notice_revision
    ADD CONSTRAINT notice_revision_pkey PRIMARY KEY (id);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (instance_id, seq, "position");


--
-- Name: password_reset password_reset_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.password_reset
    ADD CONSTRAINT password_reset_pkey PRIMARY KEY (account_id);


--
-- Name: payment_event payment_event_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.payment_event
    ADD CONSTRAINT payment_event_pkey PRIMARY KEY (id);


--
-- Name: pending_application pending_application_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pending_application
    ADD CONSTRAINT pending_application_pkey PRIMARY KEY (token);


--
-- Name: removed_account removed_account_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.removed_account
    ADD CONSTRAINT removed_account_pkey PRIMARY KEY (instance);


--
-- Name: request request_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.request
    ADD CONSTRAINT request_pkey PRIMARY KEY (actor, key);


--
-- Name: session session_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (token);


--
-- Name: staff_member staff_member_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.staff_member
    ADD CONSTRAINT staff_member_pkey PRIMARY KEY (id);


--
-- Name: staff_session staff_session_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.staff_session
    ADD CONSTRAINT staff_session_pkey PRIMARY KEY (token);


--
-- Name: staff_set_up staff_set_up_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.staff_set_up
    ADD CONSTRAINT staff_set_up_pkey PRIMARY KEY (token);


--
-- Name: throttle throttle_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.throttle
    ADD CONSTRAINT throttle_pkey PRIMARY KEY (bucket);


--
-- Name: timer timer_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.timer
    ADD CONSTRAINT timer_pkey PRIMARY KEY (instance_id, event);


--
-- Name: trace trace_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.trace
    ADD CONSTRAINT trace_pkey PRIMARY KEY (instance_id, seq);


--
-- Name: idx_procrastinate_jobs_worker_not_null; Type: INDEX; Schema: procrastinate_3_10; Owner: -
--

CREATE INDEX idx_procrastinate_jobs_worker_not_null ON procrastinate_3_10.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::procrastinate_3_10.procrastinate_job_status));


--
-- Name: idx_procrastinate_workers_last_heartbeat; Type: INDEX; Schema: procrastinate_3_10; Owner: -
--

CREATE INDEX idx_procrastinate_workers_last_heartbeat ON procrastinate_3_10.procrastinate_workers USING btree (last_heartbeat);


--
-- Name: procrastinate_events_job_id_fkey_v1; Type: INDEX; Schema: procrastinate_3_10; Owner: -
--

CREATE INDEX procrastinate_events_job_id_fkey_v1 ON procrastinate_3_10.procrastinate_events USING btree (job_id);


--
-- Name: procrastinate_jobs_id_lock_idx_v1; Type: INDEX; Schema: procrastinate_3_10; Owner: -
--

CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON procrastinate_3_10.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::procrastinate_3_10.procrastinate_job_status, 'doing'::procrastinate_3_10.procrastinate_job_status]));


--
-- Name: procrastinate_jobs_lock_idx_v1; Type: INDEX; Schema: procrastinate_3_10; Owner: -
--

CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON procrastinate_3_10.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::procrastinate_3_10.procrastinate_job_status);


--
-- Name: procrastinate_jobs_priority_idx_v1; Type: INDEX; Schema: procrastinate_3_10; Owner: -
--

CREATE INDEX procrastinate_jobs_priority_idx_v1 ON procrastinate_3_10.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::procrastinate_3_10.procrastinate_job_status);


--
-- Name: procrastinate_jobs_queue_name_idx_v1; Type: INDEX; Schema: procrastinate_3_10; Owner: -
--

CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON procrastinate_3_10.procrastinate_jobs USING btree (queue_name);


--
-- Name: procrastinate_jobs_queueing_lock_idx_v1; Type: INDEX; Schema: procrastinate_3_10; Owner: -
--

CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON procrastinate_3_10.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::procrastinate_3_10.procrastinate_job_status);


--
-- Name: procrastinate_periodic_defers_job_id_fkey_v1; Type: INDEX; Schema: procrastinate_3_10; Owner: -
--

CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON procrastinate_3_10.procrastinate_periodic_defers USING btree (job_id);


--
-- Name: account_customer_id_email; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX account_customer_id_email ON public.account USING btree (customer_id, email);


--
-- Name: address_change_customer_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX address_change_customer_id ON public.address_change USING btree (customer_id);


--
-- Name: address_change_slot; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX address_change_slot ON public.address_change USING btree (slot);


--
-- Name: change_request_contract_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX change_request_contract_id ON public.change_request USING btree (contract_id);


--
-- Name: change_request_customer_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX change_request_customer_id ON public.change_request USING btree (customer_id);


--
-- Name: change_request_slot; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX change_request_slot ON public.change_request USING btree (slot);


--
-- Name: contract_change_wish; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX contract_change_wish ON public.contract_change USING btree (wish);


--
-- Name: contract_customer_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX contract_customer_id ON public.contract USING btree (customer_id);


--
-- Name: contract_product_subdomain; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX contract_product_subdomain ON public.contract USING btree (product, subdomain);


--
-- Name: customer_number; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX customer_number ON public.customer USING btree (number);


--
-- Name: faq_entry_instance; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX faq_entry_instance ON public.faq_entry USING btree (instance);


--
-- Name: instance_place; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX instance_place ON public.instance USING btree (workflow, version, state, id);


--
-- Name: instance_subject; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX instance_subject ON public.instance USING btree (subject);


--
-- Name: invitation_account_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX invitation_account_id ON public.invitation USING btree (account_id);


--
-- Name: invitation_customer_id_email; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX invitation_customer_id_email ON public.invitation USING btree (customer_id, email);


--
-- Name: ledger_booking_contract; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ledger_booking_contract ON public.ledger_booking USING btree (contract);


--
-- Name: ledger_booking_key; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ledger_booking_key ON public.ledger_booking USING btree (key);


--
-- Name: mandate_contract_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX mandate_contract_id ON public.mandate USING btree (contract_id);


--
-- Name: mandate_customer_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX mandate_customer_id ON public.mandate USING btree (customer_id);


--
-- Name: mandate_in_use; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX mandate_in_use ON public.mandate USING btree (in_use);


--
-- Name: mandate_instance; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX mandate_instance ON public.mandate USING btree (instance);


--
-- Name: migration_engine_name; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX migration_engine_name ON public.migration_engine USING btree (name);


--
-- Name: migration_ledger_name; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX migration_ledger_name ON public.migration_ledger USING btree (name);


--
-- Name: migration_workflows_name; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX migration_workflows_name ON public.migration_workflows USING btree (name);


--
-- Name: notice_delivery_notice_id_revision_channel_recipient; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX notice_delivery_notice_id_revision_channel_recipient ON public.notice_delivery USING btree (notice_id, revision, channel, recipient);


--
-- Name: notice_delivery_notice_id_state_due_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX notice_delivery_notice_id_state_due_at ON public.notice_delivery USING btree (notice_id, state, due_at);


--
-- Name: notice_instance; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX notice_instance ON public.notice USING btree (instance);


--
-- Name: notice_kind_closes_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX notice_kind_closes_at ON public.notice USING btree (kind, closes_at);


--
-- Name: notice_revision_notice_id_number; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX notice_revision_notice_id_number ON public.notice_revision USING btree (notice_id, number);


--
-- Name: outbox_due_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX outbox_due_at ON public.outbox USING btree (due_at) WHERE ((state)::text = ANY ((ARRAY['waiting'::character varying, 'leased'::character varying])::text[]));


--
-- Name: outbox_incident; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX outbox_incident ON public.outbox USING btree (instance_id) WHERE ((state)::text = 'incident'::text);


--
-- Name: payment_event_provider_event; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX payment_event_provider_event ON public.payment_event USING btree (provider, event);


--
-- Name: pending_application_customer_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pending_application_customer_id ON public.pending_application USING btree (customer_id);


--
-- Name: pending_application_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pending_application_expires_at ON public.pending_application USING btree (expires_at);


--
-- Name: removed_account_customer_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX removed_account_customer_id ON public.removed_account USING btree (customer_id);


--
-- Name: session_account_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX session_account_id ON public.session USING btree (account_id);


--
-- Name: session_seen_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX session_seen_at ON public.session USING btree (seen_at);


--
-- Name: staff_member_email; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX staff_member_email ON public.staff_member USING btree (email);


--
-- Name: staff_session_member_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX staff_session_member_id ON public.staff_session USING btree (member_id);


--
-- Name: staff_session_seen_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX staff_session_seen_at ON public.staff_session USING btree (seen_at);


--
-- Name: staff_set_up_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX staff_set_up_expires_at ON public.staff_set_up USING btree (expires_at);


--
-- Name: staff_set_up_member_id; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX staff_set_up_member_id ON public.staff_set_up USING btree (member_id);


--
-- Name: throttle_full_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX throttle_full_at ON public.throttle USING btree (full_at);


--
-- Name: timer_failed; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX timer_failed ON public.timer USING btree (instance_id) WHERE (failures > 0);


--
-- Name: timer_wake_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX timer_wake_at ON public.timer USING btree (wake_at);


--
-- Name: procrastinate_jobs procrastinate_jobs_notify_queue_job_aborted_v1; Type: TRIGGER; Schema: procrastinate_3_10; Owner: -
--

CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON procrastinate_3_10.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::procrastinate_3_10.procrastinate_job_status))) EXECUTE FUNCTION procrastinate_3_10.procrastinate_notify_queue_abort_job_v1();


--
-- Name: procrastinate_jobs procrastinate_jobs_notify_queue_job_inserted_v1; Type: TRIGGER; Schema: procrastinate_3_10; Owner: -
--

CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON procrastinate_3_10.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::procrastinate_3_10.procrastinate_job_status)) EXECUTE FUNCTION procrastinate_3_10.procrastinate_notify_queue_job_inserted_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_abort_requested_events_v1; Type: TRIGGER; Schema: procrastinate_3_10; Owner: -
--

CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON procrastinate_3_10.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION procrastinate_3_10.procrastinate_trigger_abort_requested_events_procedure_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_delete_jobs_v1; Type: TRIGGER; Schema: procrastinate_3_10; Owner: -
--

CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON procrastinate_3_10.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION procrastinate_3_10.procrastinate_unlink_periodic_defers_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_scheduled_events_v1; Type: TRIGGER; Schema: procrastinate_3_10; Owner: -
--

CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON procrastinate_3_10.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::procrastinate_3_10.procrastinate_job_status))) EXECUTE FUNCTION procrastinate_3_10.procrastinate_trigger_function_scheduled_events_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_status_events_insert_v1; Type: TRIGGER; Schema: procrastinate_3_10; Owner: -
--

CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON procrastinate_3_10.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::procrastinate_3_10.procrastinate_job_status)) EXECUTE FUNCTION procrastinate_3_10.procrastinate_trigger_function_status_events_insert_v1();


--
-- Name: procrastinate_jobs procrastinate_trigger_status_events_update_v1; Type: TRIGGER; Schema: procrastinate_3_10; Owner: -
--

CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON procrastinate_3_10.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION procrastinate_3_10.procrastinate_trigger_function_status_events_update_v1();


--
-- Name: procrastinate_events procrastinate_events_job_id_fkey; Type: FK CONSTRAINT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES procrastinate_3_10.procrastinate_jobs(id) ON DELETE CASCADE;


--
-- Name: procrastinate_jobs procrastinate_jobs_worker_id_fkey; Type: FK CONSTRAINT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES procrastinate_3_10.procrastinate_workers(id) ON DELETE SET NULL;


--
-- Name: procrastinate_periodic_defers procrastinate_periodic_defers_job_id_fkey; Type: FK CONSTRAINT; Schema: procrastinate_3_10; Owner: -
--

ALTER TABLE ONLY procrastinate_3_10.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES procrastinate_3_10.procrastinate_jobs(id);


--
-- Name: account account_customer_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id) ON DELETE CASCADE;


--
-- Name: address_change address_change_customer_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.address_change
    ADD CONSTRAINT address_change_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id) ON DELETE CASCADE;


--
-- Name: application application_customer_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.application
    ADD CONSTRAINT application_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id) ON DELETE CASCADE;


--
-- Name: change_request change_request_contract_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.change_request
    ADD CONSTRAINT change_request_contract_id_fkey FOREIGN KEY (contract_id) REFERENCES public.contract(id) ON DELETE CASCADE;


--
-- Name: change_request change_request_customer_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.change_request
    ADD CONSTRAINT change_request_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id) ON DELETE CASCADE;


--
-- Name: contract_change contract_change_instance_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.contract_change
    ADD CONSTRAINT contract_change_instance_fkey FOREIGN KEY (instance) REFERENCES public.change_request(instance) ON DELETE CASCADE;


--
-- Name: contract contract_customer_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.contract
    ADD CONSTRAINT contract_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id) ON DELETE CASCADE;


--
-- Name: invitation invitation_account_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.invitation
    ADD CONSTRAINT invitation_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;


--
-- Name: invitation invitation_customer_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.invitation
    ADD CONSTRAINT invitation_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id) ON DELETE CASCADE;


--
-- Name: mandate mandate_contract_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.mandate
    ADD CONSTRAINT mandate_contract_id_fkey FOREIGN KEY (contract_id) REFERENCES public.contract(id) ON DELETE CASCADE;


--
-- Name: mandate mandate_customer_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.mandate
    ADD CONSTRAINT mandate_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id) ON DELETE CASCADE;


--
-- Name: notice_delivery notice_delivery_notice_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.notice_delivery
    ADD CONSTRAINT notice_delivery_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(id) ON DELETE CASCADE;


--
-- Name: notice_revision notice_revision_notice_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.notice_revision
    ADD CONSTRAINT notice_revision_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.notice(id) ON DELETE CASCADE;


--
-- Name: password_reset password_reset_account_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.password_reset
    ADD CONSTRAINT password_reset_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;


--
-- Name: pending_application pending_application_customer_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pending_application
    ADD CONSTRAINT pending_application_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id) ON DELETE CASCADE;


--
-- Name: removed_account removed_account_customer_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.removed_account
    ADD CONSTRAINT removed_account_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id) ON DELETE CASCADE;


--
-- Name: session session_account_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;


--
-- Name: staff_session staff_session_member_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.staff_session
    ADD CONSTRAINT staff_session_member_id_fkey FOREIGN KEY (member_id) REFERENCES public.staff_member(id) ON DELETE CASCADE;


--
-- Name: staff_set_up staff_set_up_member_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.staff_set_up
    ADD CONSTRAINT staff_set_up_member_id_fkey FOREIGN KEY (member_id) REFERENCES public.staff_member(id) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--


