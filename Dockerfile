# The site for compose.yaml and the like. Settings come as TETSUZUKI_… in the environment, or as a mounted file.
# The Python is the one with which the requirements were locked and the tests run.
FROM python:3.11.15-slim-bookworm AS base
COPY requirements/run.txt /usr/src/run.txt
RUN pip install --no-cache-dir --require-hashes --no-deps -r /usr/src/run.txt

FROM base AS build
WORKDIR /usr/src/tetsuzuki
COPY . .
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /usr/src/wheels .

FROM base
COPY --from=build /usr/src/wheels /usr/src/wheels
RUN pip install --no-cache-dir --no-deps /usr/src/wheels/*.whl \
    && useradd --system --create-home --home-dir /var/lib/tetsuzuki tetsuzuki
USER tetsuzuki
WORKDIR /var/lib/tetsuzuki
EXPOSE 8000
# SIGTERM, which stops a container, finishes what is being answered and delivered.
STOPSIGNAL SIGTERM
CMD ["tetsuzuki", "serve", "--host", "0.0.0.0", "--port", "8000"]
