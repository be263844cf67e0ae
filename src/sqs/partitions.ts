/**
 * AWS's partitions: groups of regions with separate domains.
 *
 * @module
 */

/** How the regions begin, their domain, and the one that has IPv6, too. */
const PARTITIONS: readonly (readonly [string, string, string])[] = [
  ["cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"],
  ["eusc-", "amazonaws.eu", "api.amazonwebservices.eu"],
  ["us-iso-", "c2s.ic.gov", "api.aws.ic.gov"],
  ["us-isob-", "sc2s.sgov.gov", "api.aws.scloud"],
  ["eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"],
  ["us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"],
  ["", "amazonaws.com", "api.aws"],
];

/** The domains of all partitions. */
export const AWS_DOMAINS: readonly string[] = PARTITIONS.flatMap(
  ([, ...domains]) => domains,
);

/** The domain of a region's services. */
export function awsDomain(
  region: string,
  { dualStack }: { readonly dualStack: boolean },
): string {
  const [, domain, dualStackDomain] = PARTITIONS.find(([start]) =>
    region.startsWith(start)
  )!;
  return dualStack ? dualStackDomain : domain;
}
