# syntax=docker/dockerfile:1
# docs/operations.md says how to build and run it, and what could not be tried: there was no Docker where this was written.
# The base is named by its tag; give it by its digest where you build: --build-arg PYTHON_IMAGE=python:3.11-slim-trixie@sha256:…
ARG PYTHON_IMAGE=python:3.11-slim-trixie

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python -m venv /opt/winparity
COPY requirements.txt requirements-build.txt ./
RUN /opt/winparity/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary=:all: \
        --require-hashes -r requirements.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary=:all: \
        --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md LICENSE app.yml ./
COPY analyzer analyzer
COPY bot bot
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/winparity/bin/pip install --no-cache-dir --no-deps --no-index /wheels/winparity-*.whl \
    && /opt/winparity/bin/pip uninstall --yes pip

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="winparity" \
      org.opencontainers.image.description="A GitHub App that tells maintainers of Go projects what Windows users gain or lose." \
      org.opencontainers.image.url="https://github.com/winparity/winparity" \
      org.opencontainers.image.source="https://github.com/winparity/winparity" \
      org.opencontainers.image.documentation="https://github.com/winparity/winparity/blob/main/docs/operations.md" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Debian keeps one version of git, the one with all security fixes: to pin another would be to do without them.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 winparity \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/winparity --shell /usr/sbin/nologin winparity \
    && install -d -o 10001 -g 10001 -m 700 /var/lib/winparity
COPY --from=build /opt/winparity /opt/winparity
ENV PATH=/opt/winparity/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    WINPARITY_DATA_DIR=/var/lib/winparity \
    WINPARITY_LOG=json
WORKDIR /var/lib/winparity
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["winparity", "health"]
ENTRYPOINT ["winparity"]
CMD ["serve"]
