# docker run --rm --read-only --network none --volume "$PWD:/work:ro" nginxaudit scan .
FROM python:3.13-alpine AS build
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY nginxaudit ./nginxaudit
COPY rules ./rules
RUN python -m venv --without-pip /opt/nginxaudit \
    && pip --python /opt/nginxaudit/bin/python install --quiet --no-cache-dir ".[kubernetes,zstd]" \
    && python -m compileall -q /opt/nginxaudit

FROM python:3.13-alpine
COPY --from=build /opt/nginxaudit /opt/nginxaudit
# Nothing is written: reports go to standard output, or to a volume.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/opt/nginxaudit/bin/nginxaudit"]
CMD ["--help"]
