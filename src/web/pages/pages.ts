/**
 * The pages: each is a function of its view, without any access to the network.
 *
 * @module
 */

import { html } from "hono/html";
import type {
  ActionView,
  ContainersView,
  FailedJobView,
  FailedListView,
  Frame,
  HoldersView,
  LoginView,
  OverviewView,
  PauseView,
  ProblemView,
  QueueView,
} from "./views.ts";

/** A page's HTML, which is text with everything escaped. */
export type Html = ReturnType<typeof html>;

/** Draws a page. */
export type Page<View> = (view: View, frame: Frame) => Html;

const plain: Page<object> = (view) => html`<pre>${JSON.stringify(view)}</pre>`;

export const overviewPage: Page<OverviewView> = plain;
export const queuePage: Page<QueueView> = plain;
export const holdersPage: Page<HoldersView> = plain;
export const failedListPage: Page<FailedListView> = plain;
export const failedJobPage: Page<FailedJobView> = plain;
export const actionPage: Page<ActionView> = plain;
export const containersPage: Page<ContainersView> = plain;
export const pausePage: Page<PauseView> = plain;
export const loginPage: Page<LoginView> = plain;
export const problemPage: Page<ProblemView> = plain;
