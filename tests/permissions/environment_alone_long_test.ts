/**
 * `zsqs permissions` follows the environment, the profiles and the queue to the
 * servers and files that the SDK will use.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { bareEnvironment } from "../support/bare_environment.ts";
import { cli, Folder } from "../support/cli.ts";
import { CREDENTIALS, setEnv, wordsOf } from "../support/server.ts";

const PROFILES = `[profile sso]
sso_session = company
sso_account_id = 1
sso_role_name = jobs
[sso-session company]
sso_start_url = https://company.awsapps.com/start
sso_region = eu-central-1
[profile role]
role_arn = arn:aws:iam::1:role/jobs
source_profile = keys
region = us-east-2
[profile keys] ; static
aws_access_key_id = test
aws_secret_access_key = test
[profile program]
credential_process = /usr/bin/credentials
[profile login]
login_session = arn:aws:iam::1:user/jobs
`;

interface Case {
  readonly env: Readonly<Record<string, string>>;
  readonly options?: string;
  /** The flags that differ from a line with credentials in the environment. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly hint?: string;
}

const CASES: Readonly<Record<string, Case>> = {
  "keys": {
    env: CREDENTIALS,
    flags: {},
    hint: "Credentials come from AWS_ACCESS_KEY_ID",
  },
  "an instance's role": {
    env: { AWS_EC2_METADATA_DISABLED: "" },
    flags: { net: "sqs.eu-west-1.amazonaws.com:443,169.254.169.254:80" },
    hint: "Credentials come from the instance's role, as there are none here",
  },
  "a container's role": {
    env: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/role" },
    flags: { net: "sqs.eu-west-1.amazonaws.com:443,169.254.170.2:80" },
    hint: "Credentials come from the container's role",
  },
  "a pod's role": {
    env: {
      AWS_CONTAINER_CREDENTIALS_FULL_URI:
        "http://169.254.170.23/v1/credentials",
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "/var/token",
    },
    flags: {
      read: "INI,/var/token",
      net: "sqs.eu-west-1.amazonaws.com:443,169.254.170.23:80",
    },
  },
  "a web identity": {
    env: { AWS_WEB_IDENTITY_TOKEN_FILE: "/var/token", AWS_ROLE_ARN: "arn:x" },
    flags: {
      read: "INI,/var/token",
      net: "sqs.eu-west-1.amazonaws.com:443,sts.eu-west-1.amazonaws.com:443",
    },
    hint: "Credentials come from AWS_WEB_IDENTITY_TOKEN_FILE",
  },
  "single sign-on": {
    env: { AWS_PROFILE: "sso" },
    flags: {
      read: "INI,HOME/.aws/config",
    },
    hint:
      'Profile "sso" gets credentials by single sign-on: add --allow-read=HOME/.aws --allow-write=HOME/.aws/sso/cache --allow-net=portal.sso.REGION.amazonaws.com,oidc.REGION.amazonaws.com, with the REGION of the sign-in',
  },
  "aws login": {
    env: { AWS_PROFILE: "login" },
    flags: { read: "INI,HOME/.aws/config" },
    hint:
      'Profile "login" gets credentials by "aws login": add --allow-read=HOME/.aws --allow-write=HOME/.aws/login/cache --allow-net=REGION.signin.aws.amazon.com --allow-sys, with the REGION of the sign-in',
  },
  "an assumed role": {
    env: { AWS_PROFILE: "role", ...CREDENTIALS },
    flags: {
      read: "INI,HOME/.aws/config",
      net: "sqs.eu-west-1.amazonaws.com:443,sts.us-east-2.amazonaws.com:443",
    },
    hint: 'Credentials come from profile "role", an assumed role',
  },
  "a program": {
    env: { AWS_PROFILE: "program" },
    flags: { read: "INI,HOME/.aws/config" },
    hint:
      'Profile "program" gets credentials by a program: add --allow-env --allow-run=/bin/sh',
  },
  "no home": {
    env: { ...CREDENTIALS, HOME: "" },
    flags: { sys: "osRelease,uid,homedir" },
  },
  "isolation with all of the environment": {
    env: CREDENTIALS,
    options:
      "queue = adder\nregion = eu-west-1\nisolation = process\nallow_env = PRICE_*",
    flags: { env: "", run: Deno.execPath() },
  },
  "FIPS": {
    env: { ...CREDENTIALS, AWS_USE_FIPS_ENDPOINT: "true" },
    flags: { net: "sqs-fips.eu-west-1.amazonaws.com:443" },
  },
  "another server": {
    env: { ...CREDENTIALS, AWS_ENDPOINT_URL_SQS: "http://[::1]:4566" },
    flags: { net: "[::1]:4566" },
  },
  "an endpoint of a VPC": {
    env: CREDENTIALS,
    options: "queue = https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/adder",
    flags: { net: "vpce-1.sqs.eu-west-1.vpce.amazonaws.com:443" },
  },
  "a failures queue elsewhere": {
    env: CREDENTIALS,
    options:
      "queue = arn:aws:sqs:eu-west-1:1:adder\nfailures = arn:aws-cn:sqs:cn-north-1:1:failed",
    flags: {
      net:
        "sqs.eu-west-1.amazonaws.com:443,sqs.cn-north-1.amazonaws.com.cn:443",
    },
  },
  "a region in the environment": {
    env: { ...CREDENTIALS, AWS_REGION: "eu-west-1" },
    options: "queue = adder",
    flags: {},
    hint: "Queue adder is in region eu-west-1, as AWS_REGION says",
  },
  "certificates for Node": {
    env: { ...CREDENTIALS, NODE_EXTRA_CA_CERTS: "/etc/ca.pem" },
    flags: {
      env:
        "AWS_*,HOME,USERPROFILE,HOMEPATH,HOMEDRIVE,_X_AMZN_TRACE_ID,NODE_USE_SYSTEM_CA",
      sys: "",
    },
    hint:
      "The line grants all of --allow-sys as NODE_EXTRA_CA_CERTS is set: with DENO_CERT, less is enough",
  },
};

Deno.test("zsqs permissions follows the SDK to its servers and credentials", async () => {
  await using folder = await Folder.with({});
  await Deno.mkdir(folder.at(".aws"));
  await folder.write(".aws/config", PROFILES);
  for (const [name, { env, options, flags, hint }] of Object.entries(CASES)) {
    const ini = await folder.write(
      "jobs.ini",
      `[container]\nworker = jsr:@own/worker\n${
        options ?? "queue = adder\nregion = eu-west-1"
      }\n`,
    );
    using _env = setEnv(await bareEnvironment(folder.path, env));
    const { status, stdout, stderr } = await cli(["permissions", ini]);
    assertEquals([name, status], [name, 0], stderr.join("\n"));
    const wanted = Object.entries({
      read: "INI",
      write: undefined,
      net: "sqs.eu-west-1.amazonaws.com:443",
      env: "AWS_*,HOME,USERPROFILE,HOMEPATH,HOMEDRIVE,_X_AMZN_TRACE_ID",
      sys: "osRelease",
      run: undefined,
      ...flags,
    }).flatMap(([kind, value]) =>
      value === undefined
        ? []
        : [`--allow-${kind}${value === "" ? "" : `=${value}`}`]
    ).map((flag) =>
      flag.replace("INI", ini).replaceAll("HOME/", `${folder.path}/`)
    );
    const words = await wordsOf(stdout.join("\n"));
    assertEquals([name, ...words.slice(2, -2)], [name, ...wanted]);
    if (hint !== undefined) {
      const wantedHint = hint.replaceAll("HOME/", `${folder.path}/`);
      assert(stderr.includes(wantedHint), stderr.join("\n"));
    }
    assertEquals(
      stderr.at(-1) ===
        "Without isolation, jobs have the container's permissions: add the flags that the worker needs",
      !options?.includes("isolation"),
    );
  }
});
