# The hub, in an image without a shell: docker build -t registry.example.com/hub .
# Its settings are variables (HUB__…), its files are in /data, and it runs as nobody of the host's.

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
ARG SOURCE_DATE_EPOCH=0
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH}
COPY . .
RUN image/build.sh /out

FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Syncline hub" \
      org.opencontainers.image.description="A realtime sync hub for local-first web apps" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot" \
      syncline.sbom.path="/usr/share/doc/hub/sbom.cdx.json" \
      syncline.sbom.format="CycloneDX-1.6"
COPY --from=build --chown=0:0 /out/usr /usr
COPY --from=build --chown=10001:10001 /out/data /data
ENV HUB__LISTEN=0.0.0.0:3010 \
    HUB__ADMIN_LISTEN=0.0.0.0:3011 \
    HUB__DATA_DIR=/data
USER 10001:10001
EXPOSE 3010 3011
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/hub"]
CMD ["serve"]
