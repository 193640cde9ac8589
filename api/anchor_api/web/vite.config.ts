import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/** What the page may ask when a person presses the button: the sources of the built-in policy. */
function sources(): string[] {
  const policy = JSON.parse(readFileSync(new URL("../../../anchor/policies/default.json", import.meta.url), "utf8")) as {
    bitcoin: { sources: string[] };
    chains: { sources: string[] }[];
  };
  const named = [...policy.bitcoin.sources, ...policy.chains.flatMap((chain) => chain.sources)];
  return [...new Set(named.map((source) => new URL(source).origin))].sort();
}

/** Everything is forbidden but this page's own script and style, pictures made here, and those sources. */
function contentPolicy(script: string, style: string): string {
  const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  return [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "img-src blob:",
    "worker-src blob:",
    `connect-src ${sources().join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** What is built into the page, with the notices that their licences want kept. */
const PARTS = ["@noble/curves", "@noble/hashes"];

/** Return the licences of these parts as a comment. */
function licences(): string {
  const texts = PARTS.map((name) => {
    const text = readFileSync(new URL(`node_modules/${name}/LICENSE`, import.meta.url), "utf8");
    return `${name}\n\n${text.trim().replaceAll("--", "- -")}`;
  });
  return `<!-- This page holds parts of the following.\n\n${texts.join("\n\n\n")}\n-->`;
}

/** Puts the script and the style sheet of the page into the page itself: one file, no request. */
function inline(): Plugin {
  return {
    name: "vestige-inline",
    enforce: "post",
    generateBundle(_options, bundle) {
      const parts = Object.values(bundle);
      const page = parts.find((part) => part.fileName.endsWith(".html"));
      const code = parts.find((part) => part.type === "chunk");
      const sheet = parts.find((part) => part.fileName.endsWith(".css"));
      if (parts.length !== 3 || page?.type !== "asset" || code?.type !== "chunk" || sheet?.type !== "asset")
        this.error("a page, one script and one style sheet are wanted");
      const script = code.code.replaceAll("</script", "<\\/script");
      const style = String(sheet.source);
      page.source = String(page.source)
        .replace(/<script type="module"[^>]*><\/script>\s*/, "")
        .replace(/<link rel="stylesheet"[^>]*>\s*/, () => `<style>${style}</style>\n`)
        .replace("CONTENT-SECURITY-POLICY", () => contentPolicy(script, style))
        .replace("</html>", () => `</html>\n${licences()}`)
        .replace("</body>", () => `<script type="module" id="verifier">${script}</script>\n</body>`);
      delete bundle[code.fileName];
      delete bundle[sheet.fileName];
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [inline()],
  build: {
    outDir: "dist",
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: Number.MAX_SAFE_INTEGER,
    cssCodeSplit: false,
    rollupOptions: { input: "verify.html" },
  },
});
