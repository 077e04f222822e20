// A proxy that puts a prefix before all paths of a server.

import { once } from "node:events";
import { createServer, request } from "node:http";

/**
 * Starts one on a free port. It takes the prefix away, unless it is to `keep` it, and tells the server
 * of it if it is to `tell`.
 */
export async function startProxy(url, prefix, { keep = false, tell = false } = {}) {
  const target = new URL(url);
  const proxy = createServer((asked, answer) => {
    if (!asked.url.startsWith(`${prefix}/`)) {
      answer.writeHead(418).end(`outside of ${prefix}: ${asked.url}`);
      return;
    }
    const path = keep ? asked.url : asked.url.slice(prefix.length);
    const headers = { ...asked.headers, host: target.host };
    if (tell) headers["x-forwarded-prefix"] = prefix;
    const passed = request({ host: "127.0.0.1", port: target.port, path, method: asked.method, headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const stop = () => {
    proxy.closeAllConnections();
    proxy.close();
  };
  return { url: `http://127.0.0.1:${proxy.address().port}${prefix}`, stop };
}
