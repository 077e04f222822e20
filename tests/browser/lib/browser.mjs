// The system's Chromium, driven by the playwright-core that scripts/test.sh installed.

import { createRequire } from "node:module";
import { resolve } from "node:path";

const MODULES = resolve(process.env.BROWSER_MODULES ?? "target/browser", "package.json");
const { chromium } = createRequire(MODULES)("playwright-core");

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Tests run in containers too, as root.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
