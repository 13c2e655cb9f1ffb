# equipoise on CPUs. `docker build -t equipoise .` makes the image; docs/docker.md says how to use it.
FROM python:3.11-slim AS build
RUN pip install --no-cache-dir uv==0.13.9 && uv venv /opt/equipoise
WORKDIR /src
COPY . .
# More extras: docker build --build-arg EXTRAS=river,statistics,embeddings .
ARG EXTRAS=river
# uv's name for the CPU build of torch; the default build would add 2.5 GB of CUDA libraries.
ENV UV_TORCH_BACKEND=cpu UV_COMPILE_BYTECODE=1
RUN uv pip install --no-cache --python /opt/equipoise -c constraints.txt ".[${EXTRAS}]"

FROM python:3.11-slim
COPY --from=build /opt/equipoise /opt/equipoise
# Files in a mounted folder should belong to who mounts it (--user), so any user may write to the home folder and the volumes.
RUN useradd --create-home --uid 1000 equipoise && mkdir /data /project && chmod 1777 /data /project /home/equipoise
# Workers take the cores; a second level of threads inside each would make them wait for each other.
ENV PATH=/opt/equipoise/bin:$PATH HOME=/home/equipoise OMP_NUM_THREADS=1 EQUIPOISE_DATA=/data
USER 1000
# /data keeps downloaded data sets; commands read your files from /project and write results/live there.
VOLUME ["/data", "/project"]
WORKDIR /project
ENTRYPOINT ["equipoise"]
CMD ["--help"]
