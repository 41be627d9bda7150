# The site for compose.yaml and the like. Settings come as TETSUZUKI_… in the environment, or as a mounted file.
FROM python:3.12-slim

WORKDIR /srv/tetsuzuki
COPY requirements/run.txt requirements/run.txt
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements/run.txt
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
    && useradd --system --create-home --home-dir /var/lib/tetsuzuki tetsuzuki
USER tetsuzuki
WORKDIR /var/lib/tetsuzuki
EXPOSE 8000
# SIGTERM, which stops a container, finishes what is being answered and delivered.
STOPSIGNAL SIGTERM
CMD ["tetsuzuki", "serve", "--host", "0.0.0.0", "--port", "8000"]
