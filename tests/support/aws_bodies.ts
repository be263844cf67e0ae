/**
 * Bodies as AWS writes them, from its documentation.
 *
 * @module
 */

/** What S3 sends once, when a bucket's notifications are configured. */
export const S3_TEST_EVENT = {
  Service: "Amazon S3",
  Event: "s3:TestEvent",
  Time: "2026-01-02T03:04:05.678Z",
  Bucket: "photos",
  RequestId: "5582815E1AEA5ADF",
  HostId: "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
} as const;

export const S3_EVENT = {
  Records: [{
    eventVersion: "2.5",
    eventSource: "aws:s3",
    awsRegion: "us-east-1",
    eventTime: "2026-01-02T03:04:05.678Z",
    eventName: "ObjectCreated:Put",
    s3: {
      s3SchemaVersion: "1.0",
      bucket: { name: "photos", arn: "arn:aws:s3:::photos" },
      object: {
        key: "red+flower%2B%C3%A9.jpg",
        size: 1,
        eTag: "d41d8cd98f00b204e9800998ecf8427e",
        sequencer: "0055AED6DCD90281E5",
      },
    },
  }],
} as const;

/** An event of EventBridge. */
export function eventBridgeEvent(type: string): Record<string, unknown> {
  return {
    version: "0",
    id: "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": type,
    source: "shop",
    account: "111122223333",
    time: "2026-01-02T03:04:05Z",
    region: "us-east-1",
    resources: [],
    detail: { order: "A-1" },
  };
}

export const TOPIC = "arn:aws:sns:us-east-1:111122223333:orders";

/** A notification of SNS, without raw message delivery. */
export function notification(
  message: string,
  fields: Readonly<Record<string, unknown>> = {},
): string {
  return JSON.stringify({
    Type: "Notification",
    MessageId: "da41e39f-ea4d-435a-b922-c6aae3915ebe",
    TopicArn: TOPIC,
    Message: message,
    Timestamp: "2026-01-02T03:04:05.678Z",
    SignatureVersion: "1",
    Signature: "EXAMPLE",
    SigningCertURL: "https://sns.us-east-1.amazonaws.com/cert.pem",
    UnsubscribeURL: "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    ...fields,
  });
}

/** What SNS sends to ask for a confirmation. */
export function confirmation(fields: Readonly<Record<string, unknown>> = {}) {
  return notification("You have chosen to subscribe to the topic.", {
    Type: "SubscriptionConfirmation",
    Token: "2336412f37",
    SubscribeURL:
      "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
    ...fields,
  });
}
