/**
 * The pages: each is a function of its view, without any access to the network.
 *
 * @module
 */

import type { Html } from "./parts.ts";
import type { Frame } from "./views.ts";

export type { Html } from "./parts.ts";

/** Draws a page. */
export type Page<View> = (view: View, frame: Frame) => Html;

export { actionPage } from "./action.ts";
export { containersPage, pausePage } from "./containers.ts";
export { failedListPage } from "./failed.ts";
export { holdersPage } from "./holders.ts";
export { failedJobPage } from "./job.ts";
export { loginPage, problemPage } from "./login.ts";
export { overviewPage } from "./overview.ts";
export { queuePage } from "./queue.ts";
