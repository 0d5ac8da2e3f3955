# A tag can come to mean another image, so the digest stands here; `make base` prints a newer one.
# Any base will do that has Python 3.11 or newer with its venv module, and useradd.
ARG BASE_IMAGE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE_IMAGE} AS builder
WORKDIR /build
RUN python3 -m venv /opt/connector
ENV PATH=/opt/connector/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
COPY requirements.txt requirements-build.txt ./
RUN pip install --no-compile --no-deps --require-hashes --requirement requirements.txt
RUN pip install --no-deps --require-hashes --target backend --requirement requirements-build.txt
COPY pyproject.toml README.md LICENSE openapi.yaml ./
COPY connector connector
# What only builds and installs does not belong into the image. The bytecode does: the root
# filesystem is read-only when it runs. It is not checked against the sources, which never change.
RUN PYTHONPATH=/build/backend pip install --no-compile --no-deps --no-build-isolation . \
    && pip uninstall --yes pip setuptools \
    && python -m compileall -qf --invalidation-mode unchecked-hash /opt/connector/lib

FROM ${BASE_IMAGE}
RUN groupadd --gid 10001 connector \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data \
        --shell /usr/sbin/nologin connector \
    && install --directory --owner connector --group connector --mode 0700 /data
COPY --from=builder /opt/connector /opt/connector
ENV PATH=/opt/connector/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CONNECTOR_DATA_DIR=/data
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
VOLUME /data
EXPOSE 8080
# Without proxies: whatever the environment says of them, this is loopback.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8080/livez', timeout=4)"]
ENTRYPOINT ["connector"]
CMD ["serve", "--bind", "0.0.0.0:8080"]
