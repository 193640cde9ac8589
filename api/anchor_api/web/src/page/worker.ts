/** Where judgement runs: in a worker made from this page's own script, or on the page itself. */
import { judgeTask } from "./engine.ts";
import type { Message, Task } from "./protocol.ts";

/** Judges tasks one after the other. */
export interface Judge {
  readonly judge: (task: Task, tell: (message: Message) => void) => void;
}

/** What is needed of a worker's global scope. */
export interface WorkerScope {
  onmessage: ((event: MessageEvent<Task>) => void) | null;
  postMessage(message: Message): void;
}

/** Answer tasks; called where this script runs as a worker. */
export function serve(scope: WorkerScope): void {
  scope.onmessage = (event) => void run(event.data, (message) => scope.postMessage(message));
  scope.postMessage({ type: "ready" } satisfies Message);
}

/** Start a worker; where the browser allows none, judge on the page. */
export function startJudge(script: string): Judge {
  const here: Judge = { judge: (task, tell) => void run(task, tell) };
  let worker: Worker;
  try {
    const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    worker = new Worker(address, { type: "module" });
  } catch {
    return here;
  }
  let ready = false;
  let failed = false;
  let waiting: { task: Task; tell: (message: Message) => void } | null = null;
  worker.onerror = () => {
    failed = !ready;
    if (failed && waiting !== null) here.judge(waiting.task, waiting.tell);
    else waiting?.tell({ type: "broken", reason: "the worker stopped" });
  };
  worker.onmessage = (event: MessageEvent<Message>) => {
    ready = true;
    waiting?.tell(event.data);
  };
  return {
    judge: (task, tell) => {
      waiting = { task, tell };
      if (failed) here.judge(task, tell);
      else worker.postMessage(task);
    },
  };
}

async function run(task: Task, tell: (message: Message) => void): Promise<void> {
  try {
    tell({ type: "result", result: await judgeTask(task, tell) });
  } catch (error) {
    tell({ type: "broken", reason: String(error) });
  }
}
