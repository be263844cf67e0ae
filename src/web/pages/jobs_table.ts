/**
 * Failed jobs as a table: to pick from, or what an action works on.
 *
 * @module
 */

import { plainNumber } from "../../numbers.ts";
import {
  ago,
  argumentsText,
  data,
  errorText,
  failedJobPath,
  type Html,
  markup,
} from "./parts.ts";
import type { FailedRow, Frame } from "./views.ts";

/** What a table of jobs offers beside their facts. */
interface JobsTableOptions {
  /** The queue whose jobs have pages, to which the rows lead. */
  readonly key?: string;
  /** Whether each row has a box to tick. */
  readonly isPicked?: boolean;
}

/** Failed jobs, one a row. */
export function jobsTable(
  jobs: readonly FailedRow[],
  frame: Frame,
  options: JobsTableOptions = {},
): Html {
  const { isPicked = false } = options;
  return markup`<div class="card flush"><table class="cards jobs ${
    isPicked && "picks"
  }"><caption class="vh">Failed jobs</caption><thead><tr>${
    isPicked &&
    markup`<th scope="col" class="tick"><span class="vh">Select</span></th>`
  }<th scope="col">Error</th><th scope="col">Source</th><th scope="col" class="num">Attempts</th><th scope="col">Age</th><th scope="col">Arguments</th></tr></thead>
<tbody>${jobs.map((job) => row(job, frame, options))}</tbody></table></div>`;
}

function row(
  job: FailedRow,
  { nowMs }: Frame,
  { key, isPicked = false }: JobsTableOptions,
): Html {
  const { id, source, attempts, failedAtMs } = job;
  return markup`<tr>${
    isPicked &&
    markup`<td class="tick"><label><span class="vh">Select job ${
      data(id)
    }</span><input type="checkbox" name="id" value="${id}"></label></td>`
  }<th scope="row" class="wide">${
    key === undefined
      ? errorText(job)
      : markup`<a href="${failedJobPath(key, id)}" class="clip">${
        errorText(job)
      }</a>`
  }<div class="small muted mono id">${data(id)}</div></th>
<td data-label="Source" class="first">${
    source === undefined
      ? "–"
      : markup`<span class="clip">${data(source)}</span>`
  }</td><td class="num" data-label="Attempts">${
    attempts === undefined ? "–" : plainNumber(attempts)
  }</td><td class="nowrap" data-label="Age">${
    ago(failedAtMs, nowMs)
  }</td><td class="wide" data-label="Arguments">${
    argumentsText(job.arguments)
  }</td></tr>`;
}
