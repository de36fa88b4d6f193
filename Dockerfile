# JupyterLab with bgresearch: docs/living-with-it.md says how to build and run it, and what to keep in volumes.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/bgresearch
COPY pyproject.toml README.md LICENSE ./
COPY constraints ./constraints
COPY bgresearch ./bgresearch
COPY vault ./vault
COPY notebooks ./notebooks
RUN pip install --constraint constraints/usual.txt '.[lab,live]'

RUN useradd --create-home research && mkdir -p /data /keys && chown research:research /data /keys && chmod 700 /keys
USER research
WORKDIR /home/research
ENV BGRESEARCH_DATA_DIR=/data BGRESEARCH_VAULT=/keys/vault BGRESEARCH_STATE_DIR=/data/.state
VOLUME ["/data", "/keys"]
EXPOSE 8888
CMD ["jupyter", "lab", "--ServerApp.ip=0.0.0.0", "--ServerApp.port=8888", "--ServerApp.open_browser=False"]
