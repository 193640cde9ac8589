/** For the lines of a step, the command of a stock tool that does them again. */

const HASHED = /^SHA-256\(([0-9a-f]+(?: ‖ [0-9a-f]+)*)\) = [0-9a-f]{64}/;
const OPERATION = /^(\w+)(?: [0-9a-f]+)? = ([0-9a-f]+)$/;
const TOOLS: Readonly<Record<string, string>> = {
  sha256: "sha256sum",
  sha1: "sha1sum",
  ripemd160: "openssl dgst -ripemd160 -provider legacy -provider default",
};

/** Return each line, followed by its command where a stock tool redoes it. */
export function withCommands(lines: readonly string[]): string[] {
  let message: string | null = null;
  return lines.flatMap((line) => {
    const hashed = HASHED.exec(line);
    if (hashed !== null) return [line, `    ${pipe(hashed[1]!.replaceAll(" ‖ ", ""), "sha256sum")}`];
    const operation = OPERATION.exec(line);
    const before = message;
    message = operation?.[2] ?? null;
    const tool = TOOLS[operation?.[1] ?? ""];
    return tool === undefined || before === null ? [line] : [line, `    ${pipe(before, tool)}`];
  });
}

function pipe(message: string, tool: string): string {
  return `printf ${message} | xxd -r -p | ${tool}`;
}
