import { defineConfig } from "vite";

/** Builds `test/runner.ts` into one file for node: it judges JSON lines, for the differential test. */
export default defineConfig({
  ssr: { noExternal: true },
  build: {
    ssr: "test/runner.ts",
    outDir: "dist-runner",
    target: "node20",
    rollupOptions: { output: { entryFileNames: "runner.mjs" } },
  },
});
