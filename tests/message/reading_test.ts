/**
 * How messages are read: the formats of bodies, the envelope, and what a reader
 * learns of a body that cannot be read.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AwsBodyError,
  bodyText,
  type Reading,
  readMessage,
  readNotification,
} from "../../src/message/reading.ts";
import {
  confirmation,
  eventBridgeEvent,
  notification,
  S3_EVENT,
  S3_TEST_EVENT,
  TOPIC,
} from "../support/aws_bodies.ts";

const JOB: Reading = { body: "job" };
const JSON_BODY: Reading = { body: "json" };
const TEXT: Reading = { body: "text" };
const sns = ({ body }: Reading): Reading => ({ body, envelope: "sns" });

const read = (body: string, reading: Reading) => {
  const { args, kwargs } = readMessage({ body }, reading);
  assertEquals(kwargs, {});
  return args;
};

const BASE64_JOB = btoa("[[1],{}]");

const READ: [what: string, body: string, reading: Reading, args: unknown[]][] =
  [
    ["an object", '{"id":1}', JSON_BODY, [{ id: 1 }]],
    ["an array that could be a job", "[[1],{}]", JSON_BODY, [[[1], {}]]],
    ["null", " null\n", JSON_BODY, [null]],
    ["JSON text that is Base64 of JSON", '"NQ=="', JSON_BODY, ["NQ=="]],
    ["digits that are Base64 of JSON, too", "1234", JSON_BODY, [1234]],
    ["plain text", "hello\r\n", TEXT, ["hello\r\n"]],
    ["text that is JSON", '{"id":1}', TEXT, ['{"id":1}']],
    ["text that is Base64 of a job", BASE64_JOB, TEXT, [BASE64_JOB]],
    ["text with a byte-order mark", "\ufeffa", TEXT, ["\ufeffa"]],
    ["a job in a notification", notification("[[1],{}]"), sns(JOB), [1]],
    ["a Base64 job in one", notification(BASE64_JOB), sns(JOB), [1]],
    ["JSON in one", notification('{"id":1}'), sns(JSON_BODY), [{ id: 1 }]],
    ["text in one", notification("hello"), sns(TEXT), ["hello"]],
    ["empty text in one", notification(""), sns(TEXT), [""]],
    ["an S3 event", JSON.stringify(S3_EVENT), JSON_BODY, [S3_EVENT]],
  ];

for (const [what, body, reading, args] of READ) {
  const { body: format, envelope = "no" } = reading;
  Deno.test(`readMessage() reads ${what} as ${format}, ${envelope} envelope`, () => {
    assertEquals(read(body, reading), args);
  });
}

const S3 = JSON.stringify(S3_EVENT);
const S3_TEST = JSON.stringify(S3_TEST_EVENT);
const BRIDGE = JSON.stringify(eventBridgeEvent("Order Placed"));

/** Each problem comes after "Cannot read message body: ". */
const UNREADABLE: [
  body: string,
  reading: Reading,
  error: new (message: string) => Error,
  problem: string,
][] = [
  [
    "hello",
    JOB,
    SyntaxError,
    "it is neither JSON nor Base64 of JSON; set body = text to take it as it is",
  ],
  [
    '{"id":1}',
    JOB,
    TypeError,
    "it is JSON, but not [args, kwargs]; set body = json to take it as it is",
  ],
  [
    btoa('{"id":12}'),
    JOB,
    TypeError,
    "it is JSON, but not [args, kwargs]; set body = text to take it as it is",
  ],
  [
    "{id:1}",
    JSON_BODY,
    SyntaxError,
    "it is not JSON; set body = text to take it as it is",
  ],
  [
    BASE64_JOB,
    JSON_BODY,
    SyntaxError,
    "it is not JSON; set body = text to take it as it is",
  ],
  ...["hello", "null", "[[1],{}]", '{"Type":"Notification"}', S3].map((body) =>
    [
      body,
      sns(TEXT),
      TypeError,
      "it is not an SNS notification; remove envelope = sns if the subscription has raw message delivery",
    ] as [string, Reading, typeof TypeError, string]
  ),
  [
    confirmation(),
    sns(JOB),
    TypeError,
    `it is a SubscriptionConfirmation of SNS topic "${TOPIC}"; confirm it with SNS, as zsqs never does`,
  ],
  [
    S3,
    JOB,
    AwsBodyError,
    "it is an S3 event; set body = json to take it as it is",
  ],
  [
    S3_TEST,
    JOB,
    AwsBodyError,
    "it is an S3 event; set body = json to take it as it is",
  ],
  [
    BRIDGE,
    JOB,
    AwsBodyError,
    "it is an EventBridge event; set body = json to take it as it is",
  ],
  [
    notification("[[1],{}]"),
    JOB,
    AwsBodyError,
    "it is an SNS notification; set envelope = sns to take it",
  ],
  [
    notification('{"id":1}'),
    JOB,
    AwsBodyError,
    "it is an SNS notification; set envelope = sns and body = json to take it",
  ],
  [
    notification("hello"),
    JOB,
    AwsBodyError,
    "it is an SNS notification; set envelope = sns and body = text to take it",
  ],
  [
    confirmation(),
    JOB,
    AwsBodyError,
    "it is an SNS SubscriptionConfirmation; set envelope = sns to take notifications, and confirm it with SNS, as zsqs never does",
  ],
  [
    S3,
    sns(JOB),
    AwsBodyError,
    "it is an S3 event, not an SNS notification; set body = json and remove envelope = sns",
  ],
];

for (const [body, reading, errorClass, problem] of UNREADABLE) {
  const { body: format, envelope = "no" } = reading;
  Deno.test(`readMessage() says what would take ${body.slice(0, 40)} instead of ${format}, ${envelope} envelope`, () => {
    const error = assertThrows(() => readMessage({ body }, reading));
    assert(error instanceof errorClass);
    assertEquals(error instanceof AwsBodyError, errorClass === AwsBodyError);
    assertEquals(
      (error as Error).message,
      `Cannot read message body: ${problem}`,
    );
  });
}

Deno.test("readMessage() names the Message of a notification that it cannot read", () => {
  const problems = [["hello", JSON_BODY], ["{}", JOB], [BRIDGE, JOB]] as const;
  assertEquals(
    problems.map(([text, reading]) =>
      assertThrows(
        () => readMessage({ body: notification(text) }, sns(reading)),
        Error,
      ).message
    ),
    [
      'Cannot read "Message" of SNS notification: it is not JSON; set body = text to take it as it is',
      'Cannot read "Message" of SNS notification: it is JSON, but not [args, kwargs]; set body = json to take it as it is',
      'Cannot read "Message" of SNS notification: it is an EventBridge event; set body = json to take it as it is',
    ],
  );
});

Deno.test("readMessage() gives the rest of a notification", () => {
  const body = notification("hello", {
    Subject: "Greeting",
    MessageAttributes: {
      tenant: { Type: "String", Value: "blue" },
      count: { Type: "Number", Value: "12" },
      large: { Type: "Number", Value: "12345678901234567890" },
      list: { Type: "String.Array", Value: '["a",1]' },
      bytes: { Type: "Binary", Value: "AP8=" },
    },
  });
  const wanted = {
    topicArn: TOPIC,
    messageId: "da41e39f-ea4d-435a-b922-c6aae3915ebe",
    subject: "Greeting",
    timestampMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    attributes: {
      tenant: "blue",
      count: 12,
      large: "12345678901234567890",
      list: '["a",1]',
      bytes: new Uint8Array([0, 255]),
    },
  };
  assertEquals(readMessage({ body }, sns(TEXT)).notification, wanted);
  assertEquals(readNotification({ body }, sns(JOB)), wanted);
  assertEquals(readNotification({ body }, TEXT), undefined);
  assertEquals(readNotification({ body: S3 }, sns(JOB)), undefined);
});

Deno.test("a notification's fields of wrong types are left out", () => {
  const wrong: unknown[] = [1, null, true, [], {}, { toString: 1 }, [[{}]]];
  for (const value of wrong) {
    const body = notification("hello", {
      Subject: value,
      Timestamp: value,
      MessageAttributes: {
        __proto__: value,
        a: value,
        b: { Type: value, Value: "b" },
        c: { Type: "String", Value: value },
        d: { Type: "String", Value: "d" },
      },
    });
    const { notification: got } = readMessage({ body }, sns(TEXT));
    assertEquals(got, {
      topicArn: TOPIC,
      messageId: "da41e39f-ea4d-435a-b922-c6aae3915ebe",
      subject: undefined,
      timestampMs: undefined,
      attributes: { d: "d" },
    });
    for (const name of ["Message", "TopicArn", "MessageId", "Type"]) {
      const none = notification("hello", { [name]: value });
      assertThrows(
        () => readMessage({ body: none }, sns(TEXT)),
        TypeError,
        "it is not an SNS notification",
      );
    }
    const body2 = notification("hello", { MessageAttributes: value });
    const read = readMessage({ body: body2 }, sns(TEXT));
    assertEquals(read.notification?.attributes, {});
  }
});

Deno.test("keys of prototypes change nothing", () => {
  const fields = '"Type":"Notification","TopicArn":"t","MessageId":"m"';
  const forged = `{"__proto__":{${fields},"Message":"x"}}`;
  assertThrows(() => readMessage({ body: forged }, sns(TEXT)), TypeError);
  const body =
    `{${fields},"Message":"x","MessageAttributes":{"__proto__":{"Type":"String","Value":"y"},"constructor":{"Type":"String","Value":"z"}}}`;
  const { attributes } = readNotification({ body }, sns(TEXT))!;
  assertEquals(Object.getPrototypeOf(attributes), Object.prototype);
  assertEquals(Object.entries(attributes), [
    ["__proto__", "y"],
    ["constructor", "z"],
  ]);
  const [value] = read('{"__proto__":{"admin":true}}', JSON_BODY);
  assertEquals((value as { admin?: boolean }).admin, undefined);
  assertEquals(Object.keys(value as object), ["__proto__"]);
});

Deno.test("a topic of any length and text is one short line", () => {
  const TopicArn = `arn:aws:sns:us-east-1:1:a\n\u001b[31m"${"x".repeat(1e6)}`;
  const error = assertThrows(
    () => readMessage({ body: confirmation({ TopicArn }) }, sns(JOB)),
    TypeError,
  );
  assert(error.message.length < 1_000);
  assert(error.message.includes('topic "arn:aws:sns:us-east-1:1:a\\n\\u001b'));
});

Deno.test("readMessage() reads JSON nested a million deep, and a large one", () => {
  const depth = 500_000;
  const deep = "[".repeat(depth) + "]".repeat(depth);
  assertEquals(read(deep, JSON_BODY).length, 1);
  assertEquals(read(notification(deep), sns(JSON_BODY)).length, 1);
  assertThrows(() => readMessage({ body: deep }, JOB), TypeError);
  const members = Array.from({ length: 50_000 }, (_, i) => [`k${i}`, i]);
  const large = JSON.stringify(Object.fromEntries(members));
  assertThrows(() => readMessage({ body: large }, JOB), TypeError);
});

Deno.test("bodyText() decodes Base64 where jobs are read, and nowhere else", () => {
  const body = btoa("[[1],\n{}]");
  assertEquals(bodyText(body), "[[1], {}]");
  assertEquals(bodyText(body, JSON_BODY), body);
  assertEquals(bodyText(body, TEXT), body);
  assertEquals(bodyText('{\n"a":1}', JSON_BODY), '{ "a":1}');
  assertEquals(bodyText('{\n"a":1}', TEXT), '{\\n"a":1}');
});
