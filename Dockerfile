# One image for every part of Distributary: `docker run … api`, `… worker --destinations a,b`, `… start`.
# Bookworm, as the Temporal SDK's native part needs glibc.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No script of any package is needed; one of our own would find no sources yet.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts
# The SDK brings its native part for five platforms, of 30 MB each, and the sources; this one stays.
RUN cd node_modules/@temporalio/core-bridge \
    && find releases -mindepth 1 -maxdepth 1 ! -name "$(uname -m)-unknown-linux-gnu" -exec rm -r {} + \
    && rm -r sdk-core

FROM node:20-bookworm-slim
# The SDK's native part trusts the system's authorities: without them there is no TLS to Temporal.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY config config
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
EXPOSE 3000
# Of the API. A container that only works has none: switch it off there.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["node", "-e", "fetch('http://127.0.0.1:3000/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node runs as PID 1 without an init: src/run.ts handles SIGTERM and SIGINT, and there are no child
# processes. A drain may take 15 s by default, so stop it with `docker stop -t 30`.
ENTRYPOINT ["node", "--max-semi-space-size=64", "dist/cli.js"]
# Everything in one process, on the Temporal that TEMPORAL_ADDRESS names; the embedded one is for
# machines of your own, not for containers. The configuration is mounted at /app/distributary.yaml.
CMD ["start", "--host", "0.0.0.0"]
