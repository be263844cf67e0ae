/**
 * Plays the behaviours that AWS documents on the double and on servers. Runs on
 * Deno, Node and Bun.
 *
 * @module
 */

import { testMode } from "../../src/connect/test_mode.ts";
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { setImmediate } from "node:timers";
import { openQueue } from "../../src/connect/open_queue.ts";
import type { DoubleConnection } from "../../src/double/connection.ts";
import { connectToSqs } from "../../src/aws/sqs.ts";
import type { VirtualClock } from "../../src/double/virtual_clock.ts";
import { setUp } from "../../testing.ts";
import {
  type Behaviour,
  behaviours,
  type BehaviourServer,
  type QueueToMake,
} from "./behaviours.ts";

interface Difference {
  /** The behaviour's name. */
  readonly behaviour: string;
  /** AWS's page and its words. */
  readonly source: string;
  /** How each server differs. */
  readonly servers: Readonly<Record<string, string>>;
}

const API =
  "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_";

const GUIDE =
  "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/";

/** Seen with fauxqs 2.4.1 and moto 5.2.1. */
export const DIFFERENCES: readonly Difference[] = [
  {
    behaviour: "a message is hidden for 12 hours after its receive at most",
    source:
      `${API}ChangeMessageVisibilityBatch.html: the result of each entry is reported individually; ${API}ChangeMessageVisibility.html: at most 12 hours from when the message was received`,
    servers: {
      fauxqs: "extends without end",
      moto: "refuses the whole call, not the entry",
    },
  },
  {
    behaviour: "a message that is visible again has no visibility to change",
    source:
      `${API}ChangeMessageVisibility.html: MessageNotInflight, the specified message isn't in flight`,
    servers: {
      fauxqs: "says that the receipt handle is invalid",
      moto: "hides it",
    },
  },
  {
    behaviour: "a standard queue deletes by the last receipt handle, late too",
    source:
      `${API}DeleteMessage.html: the receipt handle from the most recent time the message was received is the one to delete it by`,
    servers: { fauxqs: "deletes nothing once the message was given back" },
  },
  {
    behaviour: "a FIFO queue refuses a delete by an expired receipt handle",
    source:
      `${API}ReceiveMessage.html, ReceiveRequestAttemptId: a delete after the visibility timeout fails with an error`,
    servers: { fauxqs: "answers with success", moto: "deletes it" },
  },
  {
    behaviour: "a receipt handle that SQS did not give is refused",
    source:
      `${API}DeleteMessage.html: ReceiptHandleIsInvalid, the specified receipt handle isn't valid`,
    servers: { fauxqs: "deletes nothing, with success" },
  },
  {
    behaviour: "each entry of a batch has its result",
    source: `${API}DeleteMessage.html: ReceiptHandleIsInvalid`,
    servers: { fauxqs: "answers with success for a made up receipt handle" },
  },
  {
    behaviour: "a delay is at most 900 seconds",
    source: `${API}SendMessage.html, DelaySeconds: valid values 0 to 900`,
    servers: { fauxqs: "takes more" },
  },
  {
    behaviour: "a receive brings several messages of a FIFO group, in order",
    source:
      `${GUIDE}FIFO-queues-understanding-logic.html: as many messages of the same group as possible`,
    servers: { fauxqs: "brings one message of each group" },
  },
  {
    behaviour: "a FIFO queue numbers its messages",
    source:
      `${API}SendMessageBatchResultEntry.html, SequenceNumber: for FIFO queues`,
    servers: { moto: "gives no number in the answer to a batch" },
  },
  {
    behaviour: "a deduplication id is delivered once, though it was deleted",
    source:
      `${GUIDE}using-messagededuplicationid-property.html: kept track of after the message is received and deleted`,
    servers: { moto: "forgets it with the message" },
  },
  {
    behaviour:
      "a FIFO receive with the same attempt id brings the same messages",
    source:
      `${API}ReceiveMessage.html, ReceiveRequestAttemptId: the same messages and receipt handles`,
    servers: { fauxqs: "brings nothing", moto: "brings nothing" },
  },
  {
    behaviour: "a receive count counts all queues that a message was in",
    source:
      `${API}ReceiveMessage.html, ApproximateReceiveCount: the number of times a message has been received across all queues`,
    servers: { fauxqs: "counts the receive that moved it too" },
  },
  {
    behaviour: "a batch has one to ten entries",
    source:
      `${API}DeleteMessageBatch.html, ${API}ChangeMessageVisibilityBatch.html: TooManyEntriesInBatchRequest`,
    servers: { moto: "has no limit on changes of visibility" },
  },
  {
    behaviour: "a batch is at most 1 MiB, attributes counted",
    source:
      `${GUIDE}quotas-messages.html: 1,048,576 bytes, message attributes included`,
    servers: { moto: "counts no attributes" },
  },
  {
    behaviour: "a message larger than its queue takes is refused alone",
    source:
      `${API}SendMessageBatch.html: the result of each message is reported individually`,
    servers: { moto: "refuses the whole call" },
  },
  {
    behaviour: "a message has a body",
    source: `${API}SendMessage.html, MessageBody: the minimum is one character`,
    servers: { fauxqs: "takes an empty one", moto: "takes an empty one" },
  },
  {
    behaviour: "a body has the characters that XML has",
    source: `${API}SendMessage.html: InvalidMessageContents`,
    servers: { moto: "takes others" },
  },
  {
    behaviour: "a body may have characters above U+FFFF",
    source: `${API}SendMessage.html: #x10000 to #x10FFFF are allowed`,
    servers: { fauxqs: "refuses them" },
  },
  {
    behaviour: "a message has at most ten attributes",
    source: `${GUIDE}quotas-messages.html: up to 10 metadata attributes`,
    servers: { fauxqs: "takes more", moto: "takes more" },
  },
  {
    behaviour: "an attribute has a value, a type and a name that SQS takes",
    source:
      `${API}MessageAttributeValue.html and ${GUIDE}sqs-message-metadata.html: never empty or null`,
    servers: { fauxqs: "takes an empty one", moto: "takes an empty one" },
  },
  {
    behaviour: "a standard queue keeps a group id",
    source: `${API}SendMessage.html, MessageGroupId: fair queues`,
    servers: { fauxqs: "drops it" },
  },
];

/** Checks a behaviour on a separate double. */
export async function checkOnDouble({ check }: Behaviour): Promise<void> {
  using _queues = setUp({ silent: true, queues: ["first"] });
  const { connection } = await openQueue("first");
  const { server } = connection as DoubleConnection;
  const clock = testMode()!.clock as VirtualClock;
  let made = 0;
  const checking = check({
    connection,
    now: () => clock.now(),
    makeQueue({ fifo, maxReceiveCount, ...options }: QueueToMake) {
      const type = fifo ? ".fifo" : "";
      const make = (name: string, settings: object) =>
        server.create({ name, ...settings }).url;
      const dead = `dead-${made}${type}`;
      const deadLetterUrl = make(dead, {});
      const url = make(`queue-${made++}${type}`, {
        ...options,
        ...(maxReceiveCount === undefined
          ? {}
          : { redrive: { deadLetterQueue: dead, maxReceiveCount } }),
      });
      return Promise.resolve({ url, deadLetterUrl });
    },
  });
  await driven(checking, clock);
}

/** Moves the clock whenever a behaviour waits for it. */
async function driven(
  checking: Promise<void>,
  clock: VirtualClock,
): Promise<void> {
  let under = true;
  checking.finally(() => under = false).catch(() => {});
  const settle = async () => {
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  await settle();
  while (under) {
    const next = clock.next;
    if (next === Infinity) break;
    await clock.advance(next - clock.now(), settle);
  }
  await checking;
}

/**
 * Checks all behaviours side by side, as they wait for the time of day.
 *
 * @returns Why behaviours are not as the table lists them.
 */
export async function checkOnServer(
  server: string,
  endpoint: string,
): Promise<string[]> {
  const connection = await connectToSqs({ endpoint });
  const client = new SQSClient({
    endpoint,
    region: connection.region,
    useQueueUrlAsEndpoint: false,
  });
  const urls: string[] = [];
  const maker: BehaviourServer = {
    connection,
    now: () => performance.now(),
    async makeQueue(options) {
      const made = await makeQueues(client, options);
      urls.push(...Object.values(made));
      return made;
    },
  };
  /** Why a behaviour is not as the table lists it, or `undefined`. */
  async function problemOf(behaviour: Behaviour): Promise<string | undefined> {
    const { name, check } = behaviour;
    const listed = DIFFERENCES.some((each) =>
      each.behaviour === name && server in each.servers
    );
    try {
      await check(maker);
    } catch (error) {
      return listed ? undefined : `${name}: ${error}`;
    }
    return listed
      ? `${name}: ${server} no longer differs, remove it from the table`
      : undefined;
  }
  try {
    const problems = await Promise.all(behaviours.map(problemOf));
    return problems.filter((each) => each !== undefined);
  } finally {
    await Promise.all(
      urls.map((QueueUrl) => client.send(new DeleteQueueCommand({ QueueUrl }))),
    );
    client.destroy();
    connection.close();
  }
}

async function makeQueues(
  client: SQSClient,
  options: QueueToMake,
): Promise<{ url: string; deadLetterUrl: string }> {
  const { fifo = false, maxReceiveCount } = options;
  const type = fifo ? ".fifo" : "";
  const id = crypto.randomUUID();
  const common = fifo ? { FifoQueue: "true" } : {};
  const make = async (name: string, attributes: Record<string, string>) => {
    const { QueueUrl } = await client.send(
      new CreateQueueCommand({ QueueName: name, Attributes: attributes }),
    );
    return QueueUrl!;
  };
  const deadLetterUrl = await make(`zsqs-${id}-dead${type}`, common);
  const number = (name: string, value: number | undefined) =>
    value === undefined ? {} : { [name]: String(value) };
  const url = await make(`zsqs-${id}${type}`, {
    ...common,
    ...(fifo && options.contentBasedDeduplication !== false
      ? { ContentBasedDeduplication: "true" }
      : {}),
    ...number("VisibilityTimeout", options.visibilityTimeoutSeconds),
    ...number("DelaySeconds", options.delaySeconds),
    ...number("MaximumMessageSize", options.maximumMessageSize),
    ...(maxReceiveCount === undefined ? {} : {
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: await arnOf(client, deadLetterUrl),
        maxReceiveCount,
      }),
    }),
  });
  return { url, deadLetterUrl };
}

async function arnOf(client: SQSClient, url: string): Promise<string> {
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({
      QueueUrl: url,
      AttributeNames: ["QueueArn"],
    }),
  );
  return Attributes!.QueueArn!;
}
