/**
 * Environments that mislead: empty variables, credentials that are replaced, a
 * private certificate authority, a proxy that is not used.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Queue, SendError, SqsError } from "../../producer.ts";
import { Folder } from "../support/folder.ts";
import { json, ScriptedServer } from "../support/scripted_server.ts";
import { setEnv } from "../support/server.ts";

/** Answers every request as a queue would. */
function accept(operation: string, url = "http://localhost/1/adder") {
  return json(
    operation === "GetQueueUrl" ? { QueueUrl: url } : {
      Successful: [{
        Id: "0",
        MessageId: "m",
        MD5OfMessageBody: "888b972177b49c01949a285778b7f15d",
      }],
      Failed: [],
      Attributes: { VisibilityTimeout: "30" },
    },
  );
}

const PROFILE = "[default]\nregion = ca-west-1\n" +
  "aws_access_key_id = first\naws_secret_access_key = test\n" +
  "aws_session_token = token\n";

/** The variables that zsqs, the SDK or other AWS programs read. */
const VARIABLES = [
  ...["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"],
  ...["AWS_ENDPOINT_URL_SQS", "AWS_CA_BUNDLE", "AWS_DEFAULTS_MODE"],
  ...["AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_USE_FIPS_ENDPOINT"],
  ...["AWS_USE_DUALSTACK_ENDPOINT", "AWS_ACCESS_KEY_ID"],
  ...["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"],
  ...["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME"],
  ...["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_SDK_UA_APP_ID"],
  ...["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_AUTH_SCHEME_PREFERENCE"],
  ...["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_ACCOUNT_ID"],
  ...["AWS_DISABLE_CLOCK_SKEW_CORRECTION", "AWS_ACCOUNT_ID_ENDPOINT_MODE"],
];

Deno.test("every variable set to nothing is as good as unset", async () => {
  const signed: string[] = [];
  await using server = new ScriptedServer((operation, { headers }) => {
    signed.push(
      /Credential=(\S+)\/\d+\/([^/]+)/.exec(headers.authorization!)!
        .slice(1).join(" "),
    );
    return accept(operation);
  });
  const endpoint = await server.listen();
  await using folder = await Folder.with({ credentials: PROFILE });
  using _env = setEnv({
    ...Object.fromEntries(VARIABLES.map((name) => [name, ""])),
    AWS_CONFIG_FILE: `${folder.path}/none`,
    AWS_SHARED_CREDENTIALS_FILE: `${folder.path}/credentials`,
  });
  // The queue's URL names the server.
  await using queue = await Queue(`${endpoint}/1/adder`);
  await queue(1);
  assertEquals(queue.region, "ca-west-1");
  assertEquals(signed, ["first ca-west-1", "first ca-west-1"]);
});

Deno.test("a queue's URL names the server, whatever AWS_USE_FIPS_ENDPOINT says", async () => {
  await using server = new ScriptedServer((operation) => accept(operation));
  const endpoint = await server.listen();
  using _env = setEnv({
    AWS_USE_FIPS_ENDPOINT: "true",
    AWS_USE_DUALSTACK_ENDPOINT: "true",
  });
  await using queue = await Queue(`${endpoint}/1/adder`);
  await queue(1);
  assertEquals(server.requests, ["GetQueueAttributes", "SendMessageBatch"]);
});

Deno.test("credentials that are replaced in a profile are read when the former expire", async () => {
  const refused: string[] = [];
  let expired = "";
  await using server = new ScriptedServer((operation, { headers }) => {
    const [, key] = /Credential=([^/]+)/.exec(headers.authorization!)!;
    if (key !== expired) return accept(operation);
    refused.push(key!);
    return json({ __type: "com.amazon.coral.service#ExpiredToken" }, 403);
  });
  const endpoint = await server.listen();
  await using folder = await Folder.with({ credentials: PROFILE });
  using _env = setEnv({
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_SESSION_TOKEN: undefined,
    AWS_CONFIG_FILE: `${folder.path}/none`,
    AWS_SHARED_CREDENTIALS_FILE: `${folder.path}/credentials`,
  });
  await using queue = await Queue(`${endpoint}/1/adder`);
  await queue(1);
  expired = "first";
  await assertRejects(() => queue(1), SendError, "ExpiredToken");
  await folder.write("credentials", PROFILE.replace("first", "second"));
  await queue(1);
  await queue(1);
  assertEquals(refused, ["first", "first"]);
});

const CA = `-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIUQzGqP3sKBAtJ62VqvS9BeduB0yAwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMenNxcyB0ZXN0IENBMCAXDTI2MTEyNzIxNTY1N1oYDzIxMjYx
MTAzMjE1NjU3WjAXMRUwEwYDVQQDDAx6c3FzIHRlc3QgQ0EwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARvQDH1+KYwpUic/qt8TUwayvzd2QCJl2T6Uh8f2IsccY7i
OKpB44kUu7RaMJBXNFbG9blciASy+jw3RF116VKuo1MwUTAdBgNVHQ4EFgQUFIlT
kV008D5PYYJCknM6KJdt7gUwHwYDVR0jBBgwFoAUFIlTkV008D5PYYJCknM6KJdt
7gUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAq7Wnm0HBXBhb
cX/9R7tNFnbRCQv2LVqX/ia8kco3nIACIDoetMqgQesbHc/p/6zUVL618hyqK8Hg
N4xsoKAAvSaZ
-----END CERTIFICATE-----`;

/** Signed by the above, for localhost and 127.0.0.1. */
const SERVER = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBljCCAT6gAwIBAgIUV1wsLq98OxHY3vnnHbqhPVwW4YkwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMenNxcyB0ZXN0IENBMCAXDTI2MTEyNzIxNTY1N1oYDzIxMjYx
MTAzMjE1NjU3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggq
hkjOPQMBBwNCAASsUbum+3WaT9jyq6PqfEe89XOGCoFW7RHnlg1mGUcsuFKDKWNb
nRBKknWqrVIEZ9KyDwaVVcURNdOsiDTXhyZOo2kwZzAaBgNVHREEEzARgglsb2Nh
bGhvc3SHBH8AAAEwCQYDVR0TBAIwADAdBgNVHQ4EFgQUnbNGr0lrQoHDWj6hG6Hc
kPEf+5wwHwYDVR0jBBgwFoAUFIlTkV008D5PYYJCknM6KJdt7gUwCgYIKoZIzj0E
AwIDRgAwQwIffsWqvC7jtrPLPFqkKZ5LtwbA01FwsjBLTLWFiJGlQwIgIHZKDBvQ
9qmbqYQNTaR48/ghJAzIDjDuSkIcXpBAiak=
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQglQ3S066jMi88Q3Ig
iVmiI3uHdr1L0lVCSfEplQkQ9GOhRANCAASsUbum+3WaT9jyq6PqfEe89XOGCoFW
7RHnlg1mGUcsuFKDKWNbnRBKknWqrVIEZ9KyDwaVVcURNdOsiDTXhyZO
-----END PRIVATE KEY-----`,
};

Deno.test("AWS_CA_BUNDLE is honoured, and named where it is missing", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, ...SERVER },
    () => Response.json({ QueueUrl: "https://localhost/1/adder" }),
  );
  const endpoint = `https://127.0.0.1:${server.addr.port}`;
  await using folder = await Folder.with({ ca: CA });
  const error = await assertRejects(
    () => Queue("adder", { endpoint }),
    SqsError,
  );
  assertMatch(error.message, /set AWS_CA_BUNDLE to the file/);
  using _env = setEnv({ AWS_CA_BUNDLE: `${folder.path}/ca` });
  await using queue = await Queue("adder", { endpoint });
  assertEquals(queue.url, "https://localhost/1/adder");
});

Deno.test("AWS_CA_BUNDLE with a file that is missing says so", async () => {
  using _env = setEnv({ AWS_CA_BUNDLE: "/nowhere/ca.pem" });
  const error = await assertRejects(
    () => Queue("adder", { endpoint: "https://127.0.0.1:9" }),
    SqsError,
  );
  assertMatch(error.message, /certificates of AWS_CA_BUNDLE: .*nowhere/);
});

for (const [name, value] of [["HTTPS_PROXY", "x"], ["https_proxy", ""]]) {
  Deno.test(`a failed connection names a proxy that is not used: ${name}=${value}`, async () => {
    using _env = setEnv({
      HTTPS_PROXY: undefined,
      https_proxy: undefined,
      ALL_PROXY: undefined,
      all_proxy: undefined,
      NODE_USE_ENV_PROXY: undefined,
      [name!]: value && "http://proxy.invalid:3128",
    });
    const error = await assertRejects(
      () => Queue("adder", { endpoint: "https://sqs.invalid" }),
      SqsError,
    );
    assertEquals(
      /HTTPS_PROXY is used only if NODE_USE_ENV_PROXY=1 is set/
        .test(error.message),
      value !== "",
    );
  });
}
