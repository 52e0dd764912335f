# The starter: API, worker and migration are the same image with another command.
#
#   docker build -t capsize-starter .
#   docker build -t capsize-starter --build-arg PYTHON_IMAGE=capsize-base-python:local .    where nothing can be pulled
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
# Where pip finds its packages, when that is not its default.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ENV PYTHONUSERBASE=/opt/starter
WORKDIR /build
# The dependencies first: this layer is made again only when they change. What the base has is not installed twice.
COPY pyproject.toml constraints.txt ./
RUN python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["starter"], sep="\n")' > needed.txt \
    && python3 -m pip install --user --no-cache-dir --no-warn-script-location --root-user-action=ignore -c constraints.txt -r needed.txt
COPY src/capsize_starter /opt/starter/app/capsize_starter
# Compiled here: the user below may not write there, and a worker must be ready a moment after it was started.
RUN python3 -m compileall -q /opt/starter

FROM ${PYTHON_IMAGE}
ENV PYTHONUSERBASE=/opt/starter \
    PYTHONPATH=/opt/starter/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0
COPY --from=build /opt/starter /opt/starter
# The file handlers' folder, ./var, is the only place that is written to.
RUN mkdir -p /srv/starter/var && chown 10001:10001 /srv/starter/var
WORKDIR /srv/starter
USER 10001:10001
EXPOSE 3000
CMD ["python3", "-m", "capsize_starter", "server"]
