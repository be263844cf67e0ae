/**
 * The checksums with which requests are signed and answers checked, by what
 * their standards give for examples.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { Md5, Sha256 } from "../../src/aws/sdk_workarounds.ts";

const KEY = Buffer.from("Jefe");

for (
  const [name, checksum, data, wanted] of [
    ["MD5 of nothing", new Md5(), [], "d41d8cd98f00b204e9800998ecf8427e"],
    [
      "MD5 (RFC 1321, A.5)",
      new Md5(),
      ["message digest"],
      "f96b697d7cb7938d525a2f31aaf161d0",
    ],
    [
      "SHA-256 of data in pieces (FIPS 180-2, B.1)",
      new Sha256(),
      ["a", "b", "c"],
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ],
    ...["Jefe", KEY, KEY.buffer.slice(KEY.byteOffset, KEY.byteOffset + 4)].map(
      (key) =>
        [
          `HMAC of SHA-256, keyed with ${
            Object.prototype.toString.call(key)
          } (RFC 4231, 4.3)`,
          new Sha256(key as string),
          ["what do ya want ", "for nothing?"],
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ] as const,
    ),
  ] as const
) {
  Deno.test(`a checksum is right: ${name}`, async () => {
    const digest = async () => {
      for (const each of data) checksum.update(Buffer.from(each));
      return Buffer.from(await checksum.digest()).toString("hex");
    };
    assertEquals(await digest(), wanted);
    checksum.reset();
    assertEquals(await digest(), wanted);
  });
}
