/**
 * The line that `zsqs permissions` prints. `permissions_long_test.ts` runs such
 * lines.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { credentialAccess } from "../../src/permissions/credential_chain.ts";
import { cli, Folder } from "../support/cli.ts";
import { wordsOf } from "../support/server.ts";

Deno.test("zsqs permissions grants a folder where a flag can name no path", async () => {
  await using folder = await Folder.with({});
  await Deno.mkdir(folder.at("jobs/a,b"), { recursive: true });
  const ini = await folder.write(
    "jobs/a,b/jobs.ini",
    "[container]\nworker = jsr:@own/worker\nqueue = adder\nregion = eu-west-1\n",
  );
  const { stdout, stderr } = await cli(["permissions", ini]);
  const words = await wordsOf(stdout.join("\n"));
  assertEquals(words[2], `--allow-read=${folder.at("jobs")}`);
  assert(
    stderr.includes(
      `The line grants the folder of ${ini}, as Deno accepts no path with a comma`,
    ),
    stderr.join("\n"),
  );
});

Deno.test("zsqs permissions prints one line for several files", async () => {
  const ini = (queue: string, region: string, more = "") =>
    `[container]\nworker = jsr:@own/worker\nqueue = ${queue}\nregion = ${region}\n${more}`;
  await using folder = await Folder.with({
    "one.ini": ini("one", "eu-west-1"),
    "two.ini": ini("two", "eu-west-2", "isolation = process\n"),
  });
  const files = [folder.at("one.ini"), folder.at("two.ini")];
  const { status, stdout, stderr } = await cli(["permissions", ...files]);
  assertEquals([status, stdout.length], [0, 1]);
  const words = await wordsOf(stdout[0]!);
  assertEquals(words.slice(2, 4), [
    `--allow-read=${files.join(",")}`,
    "--allow-net=sqs.eu-west-1.amazonaws.com:443,sqs.eu-west-2.amazonaws.com:443",
  ]);
  assertEquals(words.slice(-4), [
    `--allow-run=${Deno.execPath()}`,
    "jsr:@zsqs/cli",
    ...files,
  ]);
  const hints = stderr.filter((line) => !line.includes("NODE_EXTRA_CA_CERTS"));
  // Jobs of the first are not isolated.
  assertEquals(hints, [
    "Credentials come from AWS_ACCESS_KEY_ID",
    "Without isolation, jobs have the container's permissions: add the flags that the worker needs",
  ]);
});

Deno.test("zsqs permissions counts the hooks' modules, of isolated jobs, too", async () => {
  await using folder = await Folder.with({
    "worker.ts": "export default () => () => {};",
    "hooks.ts":
      'import { url } from "./url.ts";\nexport default () => ({ stopped: () => fetch(url) });',
    "url.ts": 'export const url = "http://127.0.0.1:9";',
    "jobs.ini":
      "[container]\nworker = worker.ts\nqueue = adder\nregion = eu-west-1\nisolation = process\nhooks = hooks.ts\n",
  });
  const { status, stdout, stderr } = await cli([
    "permissions",
    folder.at("jobs.ini"),
  ]);
  assertEquals(status, 0);
  const words = await wordsOf(stdout[0]!);
  const files = ["jobs.ini", "hooks.ts", "url.ts"].map((name) =>
    folder.at(name)
  );
  assertEquals(words[2], `--allow-read=${files.join(",")}`);
  const hint =
    "Hooks have the container's permissions: add the flags that they need";
  assert(stderr.includes(hint), stderr.join("\n"));
});

Deno.test("zsqs permissions refuses workers whose permissions it cannot find", async () => {
  await using folder = await Folder.with({
    "worker.ts": 'import "./lib.ts";\nexport default () => () => {};',
    "jobs.ini":
      "[container]\nworker = worker.ts\nqueue = adder\nregion = eu-west-1\n",
    "bad.ini":
      "[container]\nworker = worker.ts\nqueue = adder\nloggers = <log>\n",
  });
  const ini = folder.at("jobs.ini");
  assertEquals(await cli(["permissions", ini]), {
    status: 2,
    stdout: [],
    stderr: [
      `Cannot list what worker "worker.ts" of ${ini} imports: Module not found "${folder.url}/lib.ts".`,
    ],
  });
  const { status, stderr } = await cli(["permissions", folder.at("bad.ini")]);
  assertEquals(status, 2);
  assertMatch(stderr.join("\n"), /^Cannot start container as "loggers" /);
  assertEquals(await cli(["permissions"]), {
    status: 2,
    stdout: [],
    stderr: [
      "No ini file given: name the files to run",
      "Try deno run -A jsr:@zsqs/cli permissions --help",
    ],
  });
});

Deno.test("credentialAccess() names the host of each partition's STS", async () => {
  const hosts: [region: string, host: string, dualStackHost: string][] = [
    ["eu-west-1", "amazonaws.com", "api.aws"],
    ["us-gov-west-1", "amazonaws.com", "api.aws"],
    ["cn-north-1", "amazonaws.com.cn", "api.amazonwebservices.com.cn"],
    ["eusc-de-east-1", "amazonaws.eu", "api.amazonwebservices.eu"],
    ["us-iso-east-1", "c2s.ic.gov", "api.aws.ic.gov"],
    ["us-isob-east-1", "sc2s.sgov.gov", "api.aws.scloud"],
    ["eu-isoe-west-1", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"],
    ["us-isof-south-1", "csp.hci.ic.gov", "api.aws.hci.ic.gov"],
  ];
  for (const [region, host, dualStackHost] of hosts) {
    for (const dualStack of ["", "true"]) {
      const { permissions } = await credentialAccess({
        AWS_CONFIG_FILE: "/nowhere/config",
        AWS_SHARED_CREDENTIALS_FILE: "/nowhere/credentials",
        AWS_ROLE_ARN: "arn:aws:iam::1:role/r",
        AWS_WEB_IDENTITY_TOKEN_FILE: "/token",
        AWS_USE_DUALSTACK_ENDPOINT: dualStack,
      }, region);
      assertEquals(permissions.values("net"), [
        `sts.${region}.${dualStack === "" ? host : dualStackHost}:443`,
      ]);
    }
  }
});

Deno.test("zsqs permissions knows the needs of the page for operators", async () => {
  await using folder = await Folder.with({
    "jobs.ini":
      "[container]\nworker = jsr:@own/worker\nqueue = adder\nregion = eu-west-1\nisolation = process\n",
    "password": "open sesame\n",
  });
  const ini = folder.at("jobs.ini");
  const given = [
    "--address=0.0.0.0:9000",
    `--password-file=${folder.at("password")}`,
    "--container=10.0.0.5:8080",
  ];
  const flags = [
    `--allow-read=${ini},${folder.at("password")}`,
    "--allow-net=sqs.eu-west-1.amazonaws.com:443,0.0.0.0:9000,10.0.0.5:8080",
  ];
  for (const [option, call] of [["--web", "--web"], ["--web-alone", "web"]]) {
    const { stdout } = await cli(["permissions", option!, ...given, ini]);
    const words = await wordsOf(stdout[0]!);
    assertEquals(words.slice(2, 4), flags);
    assertEquals(
      words.slice(words.indexOf("jsr:@zsqs/cli") + 1),
      [call, ...given, ini],
    );
    const runs = words.some((word) => word.startsWith("--allow-run"));
    assertEquals(runs, option === "--web");
  }
  assertEquals(
    (await cli(["permissions", given[0]!, ini])).stderr[0],
    [
      "Option --address needs --web",
    ][0],
  );
});
