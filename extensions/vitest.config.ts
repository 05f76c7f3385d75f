import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { inlineWorkersForVite } from "./inline_worker.mjs";

// An installed Chromium: `CHROMIUM=/path/to/chromium npm test` for one that is elsewhere.
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

export default defineConfig({
  plugins: [inlineWorkersForVite()],
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      viewport: { width: 1000, height: 800 },
      provider: playwright({
        launchOptions: {
          executablePath,
          args: [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
          ],
        },
      }),
      instances: [{ browser: "chromium" }],
    },
  },
});
