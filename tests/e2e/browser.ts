/** A real browser on this machine, driven by its own protocol. */
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
/** It looks nothing up and asks nobody, and runs as any user. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where the browser is; undefined if there is none. `AGENTD_BROWSER` names another. */
export const BROWSER: string | undefined = Deno.env.get("AGENTD_BROWSER") ??
  NAMES.map((name) => `/usr/bin/${name}`).find(isThere);

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

export interface Seen {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the page complained of: scripts that failed, what its policy refused. */
  readonly complaints: string[];
}

export interface Screen {
  readonly colorScheme?: "light" | "dark";
  readonly width?: number;
}

/** Runs `use` on a page of a fresh browser. */
export async function inBrowser(
  use: (open: (screen?: Screen) => Promise<Seen>) => Promise<void>,
): Promise<void> {
  const browser: Browser = await chromium.launch({ executablePath: BROWSER!, args: FLAGS });
  try {
    await use(async ({ colorScheme = "light", width = 1200 } = {}) => {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") {
          complaints.push(message.text());
        }
      });
      return { page, context, complaints };
    });
  } finally {
    await browser.close();
  }
}
