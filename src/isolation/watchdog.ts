/**
 * A thread of a child process that kills it when its container is gone.
 *
 * The main thread may be in an endless loop, and Deno emits no `disconnect` if
 * the container was killed while a message was unread.
 *
 * @module
 */

/** How often the thread looks for the container, in milliseconds. */
const INTERVAL_MS = 500;

/**
 * The thread's program. It kills the process group if it may, with all that jobs
 * started. A dynamic import would wait for the main thread.
 */
function program(container: number): string {
  return `import process from "node:process";
function look() {
  if (Deno.ppid === ${container}) return;
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {}
  process.kill(process.pid, "SIGKILL");
}
look();
setInterval(look, ${INTERVAL_MS});
self.postMessage("ready");`;
}

/**
 * Starts the thread.
 *
 * @param container The container's process id.
 * @returns Resolves when the thread runs.
 */
export function watchContainer(container: number): Promise<void> {
  const url = `data:text/javascript,${encodeURIComponent(program(container))}`;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const worker = new Worker(url, { type: "module" });
  worker.onmessage = () => resolve();
  worker.onerror = ({ message }) => reject(new Error(message));
  return promise;
}
