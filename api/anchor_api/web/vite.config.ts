import { defineConfig, type Plugin } from "vite";

/** Puts every script and style sheet of a built page into the page itself: one file, no request. */
function inline(): Plugin {
  return {
    name: "vestige-inline",
    enforce: "post",
    generateBundle(_options, bundle) {
      for (const page of Object.values(bundle)) {
        if (page.type !== "asset" || !page.fileName.endsWith(".html")) continue;
        let html = String(page.source);
        for (const [name, part] of Object.entries(bundle)) {
          const file = part.fileName.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
          if (part.type === "chunk") {
            const tag = new RegExp(`<script[^>]*src="[^"]*${file}"[^>]*></script>`);
            const code = part.code.replaceAll("</script", "<\\/script");
            if (tag.test(html)) {
              html = html.replace(tag, "");
              html = html.replace("</body>", () => `<script type="module">${code}</script>\n</body>`);
              delete bundle[name];
            }
          } else if (part.fileName.endsWith(".css")) {
            const tag = new RegExp(`<link[^>]*href="[^"]*${file}"[^>]*>`);
            html = html.replace(tag, () => `<style>${String(part.source)}</style>`);
            delete bundle[name];
          }
        }
        page.source = html;
      }
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
