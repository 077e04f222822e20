// A kubemonitor of this host, and things for it to know.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const PROGRAM = process.env.KUBEMONITOR ?? "target/debug/kubemonitor";

/** Starts one on a free port. It ends when `stop` is called. */
export async function startServer(...options) {
  const child = spawn(PROGRAM, ["up", "--port", "0", "--interval", "500ms", "--node", "browser", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, DATA_DIR: undefined },
  });
  let url;
  for await (const line of createInterface({ input: child.stdout })) {
    url = line.match(/Dashboard +(http:\/\/localhost:\d+)\//)?.[1];
    if (url) break;
  }
  if (!url) throw new Error(`${PROGRAM} ended without a word of where it listens`);
  const stop = async () => {
    child.kill("SIGTERM");
    await once(child, "exit");
  };
  return { url, stop };
}

/** Pushes a sample to one path. */
async function push(url, path, names) {
  const sample = { timestamp: new Date().toISOString(), cpu_millicores: 250, memory_bytes: 1 << 20, ...names };
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(sample),
  });
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
}

/** Something of each kind to ask for: what stands for each parameter in paths. */
export async function populate(url) {
  const [namespace, pod, deployment, node] = ["browser-shop", "cart-1", "cart", "browser"];
  await push(url, `/api/pods/${pod}`, { namespace, pod, deployment, node });
  await push(url, `/api/namespaces/${namespace}`, { namespace });
  const nodes = async () => (await (await fetch(`${url}/api/nodes/${node}`)).json())[0]?.node_name;
  for (let turn = 0; turn < 200 && (await nodes()) !== node; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const units = await (await fetch(`${url}/api/nodes/${node}/units`)).json();
  const unit = units[0]?.unit_name ?? "none.service";
  return { namespace, pod, deployment, node, unit, kind: "Deployment", name: deployment };
}
