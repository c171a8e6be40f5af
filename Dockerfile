# One image for every role: the words after its name pick it (worker, submit MANIFEST, run MANIFEST, sandbox …).
FROM docker.io/library/python:3.13.12-slim-trixie AS base
ENV PATH=/opt/dailies/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

FROM base AS build
WORKDIR /src
COPY requirements.lock ./
# Wheels alone: nothing is compiled, so no compiler is needed, and no package's setup runs here.
RUN python3 -m venv /opt/dailies \
    && pip install --no-cache-dir --no-compile --only-binary :all: --require-hashes -r requirements.lock
# .dockerignore lets in what the project is installed from, and nothing else.
COPY . .
# What only an installation needs is taken out again. The root file system is read-only, so bytecode comes with it, but
# not of what few starts import. It is never compared with its source: neither can change.
RUN pip install --no-cache-dir --no-compile --no-deps --no-build-isolation . \
    && pip uninstall --yes setuptools pip \
    && find /opt/dailies -depth -type d \( -name __pycache__ -o -name tests \) -exec rm -r {} + \
    && python3 -m compileall -q --invalidation-mode unchecked-hash -x '/(openpyxl|pygments|valkey)/' /opt/dailies/lib

FROM base
ARG REVISION=""
LABEL org.opencontainers.image.title="Dailies" \
      org.opencontainers.image.description="Overnight batch orchestrator for AI video" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13.12-slim-trixie"
# Nothing is installed in a running container: the base's own pip goes too. Without Kubernetes, state and archive of a
# run are kept in the working directory: mount a volume there, and where the root is read-only, one at /tmp.
RUN rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/bin/pip* \
    && groupadd --gid 10001 dailies \
    && useradd --uid 10001 --gid dailies --no-create-home --home-dir /work dailies \
    && install --directory --owner=dailies --group=dailies /work
COPY --from=build /opt/dailies /opt/dailies
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["dailies"]
CMD ["--help"]
