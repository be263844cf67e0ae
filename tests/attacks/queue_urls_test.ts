/** Every form of an AWS queue's URL names its region. */

import { assertEquals } from "@std/assert";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";

const REGIONS: [host: string, region: string][] = [
  ["sqs.eu-west-3.amazonaws.com", "eu-west-3"],
  ["SQS.EU-WEST-3.AMAZONAWS.COM", "eu-west-3"],
  ["sqs.eu-west-3.amazonaws.com.", "eu-west-3"],
  ["queue.amazonaws.com", "us-east-1"],
  ["eu-west-3.queue.amazonaws.com", "eu-west-3"],
  ["sqs-fips.us-west-2.amazonaws.com", "us-west-2"],
  ["sqs.eu-west-3.api.aws", "eu-west-3"],
  ["sqs-fips.us-west-2.api.aws", "us-west-2"],
  ["vpce-0a1b-2c3d.sqs.eu-west-3.vpce.amazonaws.com", "eu-west-3"],
  ["vpce-0a1b-2c3d-eu-west-3a.sqs.eu-west-3.vpce.amazonaws.com", "eu-west-3"],
  ["sqs.us-gov-west-1.amazonaws.com", "us-gov-west-1"],
  ["sqs.us-gov-east-1.api.aws", "us-gov-east-1"],
  ["sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"],
  ["cn-north-1.queue.amazonaws.com.cn", "cn-north-1"],
  ["sqs.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"],
  ["sqs.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"],
  ["sqs.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"],
  ["sqs.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"],
  ["sqs.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"],
  ["sqs.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"],
  // Not AWS's: the default region.
  ["sqs.eu-west-3.example.com", "us-east-1"],
  ["sqs.eu-west-3.amazonaws.com.example.com", "us-east-1"],
  ["sqs.eu-west-3.notamazonaws.com", "us-east-1"],
  ["localhost:4566", "us-east-1"],
];

for (const [host, region] of REGIONS) {
  Deno.test(`a queue's URL on ${host} is in region ${region}`, async () => {
    using _queues = setUp({ silent: true });
    const url = `https://${host}/000000000000/adder`;
    const queue = await Queue(url);
    assertEquals([queue.name, queue.region, queue.url], ["adder", region, url]);
    const slashed = await Queue(`${url}/`);
    assertEquals([slashed.name, slashed.region, slashed.url], [
      "adder",
      region,
      url,
    ]);
  });
}
