# Images of Actogram: serve-cpu, serve-gpu, train, demo-camera. `docker build --target serve-cpu .`
# The bases are build arguments, so that a mirror, a hardened base or a digest (`make pin-images`) can stand in for them.
ARG BASE=python:3.11-slim-bookworm
ARG GPU_BASE=nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04

# ---- what only a build needs: our own package as a wheel, and the tool that writes bills of materials
FROM ${BASE} AS tools
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY docker/requirements/build.txt docker/requirements/tools.txt requirements/
RUN python3 -m venv /opt/build && /opt/build/bin/pip install --no-compile --require-hashes -r requirements/build.txt \
 && python3 -m venv /opt/tools && /opt/tools/bin/pip install --no-compile --require-hashes -r requirements/tools.txt

FROM tools AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY models models
COPY actogram actogram
COPY pipelines pipelines
COPY service service
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --no-index -w /wheels .

# ---- the serving set for CPU, in a virtual environment of its own
FROM ${BASE} AS env-cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv /opt/actogram
WORKDIR /src
# Dependencies first: a change of our code then rebuilds in seconds. Every file is checked against the lock's hashes.
COPY docker/requirements/cpu.txt requirements/
RUN /opt/actogram/bin/pip install --no-compile --require-hashes -r requirements/cpu.txt
COPY --from=wheel /wheels /wheels
RUN /opt/actogram/bin/pip install --no-compile --no-deps --no-index /wheels/*.whl

# ---- the default weights; --build-arg BAKE_WEIGHTS=0 leaves them out, and the first start fetches them
FROM env-cpu AS weights
ARG BAKE_WEIGHTS=1
# A folder `weights/` beside this file is looked into before anything is fetched. What was converted needs its
# source no more.
COPY pyproject.toml weight[s] /given/
RUN mkdir -p /home-of-weights/weights \
 && if [ "$BAKE_WEIGHTS" = 1 ]; then \
      find /given -name '*.onnx' -exec cp {} /home-of-weights/weights/ ';' \
      && ACTOGRAM_HOME=/home-of-weights ACTOGRAM_WEIGHTS=/home-of-weights/weights /opt/actogram/bin/actogram models pull \
      && find /home-of-weights \( -name '*.lock' -o -name '*.tflite' \) -delete; \
    fi

# ---- the same environment without what only a build needs
FROM env-cpu AS slim-cpu
ARG BAKE_WEIGHTS=1
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
# Debug symbols of these extension modules are most of their size. Those with bundled libraries stay as they came:
# their wheels were repaired after linking, and strip is known to break such files.
RUN find /opt/actogram -regextype posix-extended \
      -regex '.*/site-packages/(httptools|lap|pydantic_core|sqlalchemy|uvloop|yaml)/.*\.so' \
      -exec strip --strip-unneeded {} +
# Without baked weights pip stays: one of the default networks comes out of a package.
RUN /opt/actogram/bin/pip uninstall -q -y setuptools \
 && if [ "$BAKE_WEIGHTS" = 1 ]; then /opt/actogram/bin/pip uninstall -q -y pip; fi \
 && find /opt/actogram -path '*site-packages*' \( -name tests -o -name test \) -type d -prune -exec rm -rf {} + \
 && find /opt/actogram -name '__pycache__' -type d -prune -exec rm -rf {} + \
 && find /opt/actogram -name '*.pyi' -delete

# ---- what the environment holds, as CycloneDX
FROM tools AS sbom-cpu
COPY --from=slim-cpu /opt/actogram /opt/actogram
RUN /opt/tools/bin/cyclonedx-py environment --output-reproducible --of JSON -o /sbom.cdx.json /opt/actogram/bin/python3

# ---- serve-cpu
FROM ${BASE} AS serve-cpu
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Actogram" \
      org.opencontainers.image.description="Says who does what, when: live skeleton action recognition." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin actogram \
 && install -d -o actogram -g actogram /data /keys
COPY --from=slim-cpu /opt/actogram /opt/actogram
COPY --from=sbom-cpu /sbom.cdx.json /opt/actogram/share/sbom.cdx.json
COPY --from=weights /home-of-weights/weights /opt/weights
COPY --chmod=755 docker/entrypoint.sh docker/healthcheck.py docker/demo_setup.py docker/monitoring_setup.py /opt/actogram/share/
ENV PATH=/opt/actogram/bin:$PATH PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPYCACHEPREFIX=/opt/bytecode ORT_DISABLE_TELEMETRY=1 PIP_NO_CACHE_DIR=1 \
    ACTOGRAM_HOME=/data ACTOGRAM_WEIGHTS=/opt/weights OMP_NUM_THREADS=1
# The root file system is read-only: what is not compiled here would be compiled at each start, by each worker.
RUN --mount=type=bind,source=docker/bytecode.py,target=/tmp/bytecode.py \
    export PYTHONDONTWRITEBYTECODE='' ACTOGRAM_HOME=/tmp/first \
 && python3 /tmp/bytecode.py && actogram keys list && rm -r /tmp/first
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python3", "/opt/actogram/share/healthcheck.py"]
ENTRYPOINT ["tini", "--", "/opt/actogram/share/entrypoint.sh"]
CMD ["serve"]

# ---- demo-camera: clips of a folder as RTSP cameras
FROM serve-cpu AS demo-camera
COPY docker/demo_camera.py tests/rtsp_server.py /opt/actogram/share/
EXPOSE 8554
HEALTHCHECK --interval=5s --timeout=3s --start-period=180s --retries=3 \
  CMD ["python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8554), 2).close()"]
ENTRYPOINT ["tini", "--", "python3", "/opt/actogram/share/demo_camera.py"]
CMD ["/clips"]

# ---- serve-gpu: onnxruntime-gpu on CUDA 13 and cuDNN 9
FROM ${GPU_BASE} AS env-gpu
ARG BAKE_WEIGHTS=1
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/* \
 && python3 -m venv /opt/actogram
WORKDIR /src
COPY docker/requirements/gpu.txt requirements/
RUN /opt/actogram/bin/pip install --no-compile --require-hashes -r requirements/gpu.txt
COPY --from=wheel /wheels /wheels
RUN /opt/actogram/bin/pip install --no-compile --no-deps --no-index /wheels/*.whl \
 && if [ "$BAKE_WEIGHTS" = 1 ]; then /opt/actogram/bin/pip uninstall -q -y pip; fi \
 && find /opt/actogram -name '__pycache__' -type d -prune -exec rm -rf {} +

FROM env-gpu AS sbom-gpu
COPY docker/requirements/tools.txt requirements/
RUN python3 -m venv /opt/tools && /opt/tools/bin/pip install --no-compile --require-hashes -r requirements/tools.txt \
 && /opt/tools/bin/cyclonedx-py environment --output-reproducible --of JSON -o /sbom.cdx.json /opt/actogram/bin/python3

FROM ${GPU_BASE} AS serve-gpu
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Actogram (GPU)" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends python3 tini && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin actogram \
 && install -d -o actogram -g actogram /data /keys
COPY --from=env-gpu /opt/actogram /opt/actogram
COPY --from=sbom-gpu /sbom.cdx.json /opt/actogram/share/sbom.cdx.json
COPY --from=weights /home-of-weights/weights /opt/weights
COPY --chmod=755 docker/entrypoint.sh docker/healthcheck.py docker/demo_setup.py docker/monitoring_setup.py /opt/actogram/share/
ENV PATH=/opt/actogram/bin:$PATH PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPYCACHEPREFIX=/opt/bytecode ORT_DISABLE_TELEMETRY=1 PIP_NO_CACHE_DIR=1 \
    ACTOGRAM_HOME=/data ACTOGRAM_WEIGHTS=/opt/weights ACTOGRAM_DEVICE=cuda:0 OMP_NUM_THREADS=1
# Another GPU_BASE with too old a CUDA or cuDNN ends here, not at the first camera; the driver comes with the start.
RUN python3 -c 'from models.runtime.gpu_libraries import require_gpu_libraries as check; check(needs_driver=False)'
# The root file system is read-only: what is not compiled here would be compiled at each start, by each worker.
RUN --mount=type=bind,source=docker/bytecode.py,target=/tmp/bytecode.py \
    export PYTHONDONTWRITEBYTECODE='' ACTOGRAM_HOME=/tmp/first \
 && python3 /tmp/bytecode.py && actogram keys list && rm -r /tmp/first
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python3", "/opt/actogram/share/healthcheck.py"]
ENTRYPOINT ["tini", "--", "/opt/actogram/share/entrypoint.sh"]
CMD ["serve"]

# ---- train: the training set (torch) on top of the CPU environment
FROM env-cpu AS train
COPY docker/requirements/train.txt requirements/
COPY constraints.txt ./
# torch alone comes without a hash, and in no image that serves: which of its builds fits depends on the machine.
RUN /opt/actogram/bin/pip install --no-compile --require-hashes -r requirements/train.txt \
 && /opt/actogram/bin/pip install --no-compile -c constraints.txt torch \
 && useradd --system --uid 10001 --user-group --create-home --home-dir /work actogram
ENV PATH=/opt/actogram/bin:$PATH PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 ACTOGRAM_HOME=/work/.actogram
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["actogram"]
CMD ["train", "--help"]
