# docker build -t tonk-relay . && docker run -p 8081:8081 -v relay-data:/data tonk-relay
FROM node:22-slim AS build
WORKDIR /relay
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:22-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8081 RELAY_STORAGE=/data
COPY --from=build --chown=root:root /relay/package.json /relay/LICENSE /relay/
COPY --from=build --chown=root:root /relay/node_modules /relay/node_modules
COPY --from=build --chown=root:root /relay/dist /relay/dist
RUN mkdir /data && chown node:node /data
USER node
WORKDIR /data
VOLUME /data
EXPOSE 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/relay/dist/bin/tonk-relay.js"]
