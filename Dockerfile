# The registrar and peerkey. Every step is a script of this repository that the tests run too.
FROM swift:6.3-bookworm AS build
WORKDIR /source
COPY . .
RUN scripts/install-packages --build && scripts/build /programs

FROM debian:bookworm-slim
COPY scripts/install-packages /tmp/install-packages
RUN /tmp/install-packages --run && rm -rf /tmp/install-packages /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --home-dir /var/lib/peerstack-registrar --create-home registrar
COPY --from=build /programs/ /usr/local/bin/
USER registrar
VOLUME /var/lib/peerstack-registrar
EXPOSE 8787
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["registrar", "health", "--server", "http://127.0.0.1:8787"]
ENTRYPOINT ["registrar"]
CMD ["serve", "--listen", "0.0.0.0:8787", "--data", "/var/lib/peerstack-registrar"]
