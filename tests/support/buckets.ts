/**
 * Buckets of S3 on a test's server, as another program sees them.
 *
 * @module
 */

import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";

/** A bucket that a test has made. */
export class TestBucket implements Disposable {
  readonly name: string;
  readonly #client: S3Client;

  private constructor(name: string, client: S3Client) {
    this.name = name;
    this.#client = client;
  }

  static async create(endpoint: string, name: string): Promise<TestBucket> {
    const client = new S3Client({
      endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    await client.send(new CreateBucketCommand({ Bucket: name }));
    return new TestBucket(name, client);
  }

  async keys(): Promise<string[]> {
    const { Contents = [] } = await this.#client.send(
      new ListObjectsV2Command({ Bucket: this.name }),
    );
    return Contents.map(({ Key }) => Key!);
  }

  async get(key: string): Promise<string> {
    const { Body } = await this.#client.send(
      new GetObjectCommand({ Bucket: this.name, Key: key }),
    );
    return await Body!.transformToString();
  }

  async put(key: string, body: string | Uint8Array): Promise<void> {
    await this.#client.send(
      new PutObjectCommand({ Bucket: this.name, Key: key, Body: body }),
    );
  }

  async delete(key: string): Promise<void> {
    await this.#client.send(
      new DeleteObjectCommand({ Bucket: this.name, Key: key }),
    );
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}
