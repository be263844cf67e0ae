/**
 * The files for KEDA and ECS in `examples/deploy/`. KEDA or CloudFormation
 * documents each of their fields, and each name in them exists.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseAllDocuments, visit } from "yaml";
import { checkConfig, readConfig } from "../container.ts";

const DEPLOY = new URL("../examples/deploy/", import.meta.url);
const CLOUDFORMATION =
  "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/";

/** What a page documents: the fields of an object, by the object's path. */
interface Documented {
  readonly url: string;
  readonly objects: Readonly<Record<string, string>>;
}

const KEDA: readonly Documented[] = [
  {
    url: "https://keda.sh/docs/latest/reference/scaledobject-spec/",
    objects: {
      ScaledObject: "apiVersion kind metadata spec",
      "ScaledObject.metadata": "name namespace labels annotations",
      "ScaledObject.spec":
        "scaleTargetRef pollingInterval cooldownPeriod initialCooldownPeriod idleReplicaCount minReplicaCount maxReplicaCount fallback advanced triggers",
      "ScaledObject.spec.scaleTargetRef":
        "apiVersion kind name envSourceContainerName",
      "ScaledObject.spec.fallback": "failureThreshold replicas behavior",
      "ScaledObject.spec.advanced":
        "restoreToOriginalReplicaCount horizontalPodAutoscalerConfig scalingModifiers",
      "ScaledObject.spec.advanced.horizontalPodAutoscalerConfig":
        "name behavior",
      "ScaledObject.spec.triggers[]":
        "type metadata name useCachedMetrics authenticationRef metricType",
    },
  },
  {
    url:
      "https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/",
    objects: {
      "ScaledObject.spec.advanced.horizontalPodAutoscalerConfig.behavior":
        "scaleDown scaleUp",
      "ScaledObject.spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown":
        "policies selectPolicy stabilizationWindowSeconds tolerance",
      "ScaledObject.spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.policies[]":
        "type value periodSeconds",
    },
  },
  {
    url: "https://keda.sh/docs/latest/scalers/aws-sqs/",
    objects: {
      "ScaledObject.spec.triggers[].metadata":
        "queueURL queueURLFromEnv queueLength activationQueueLength scaleOnInFlight scaleOnDelayed awsRegion awsEndpoint identityOwner",
    },
  },
  {
    url: "https://keda.sh/docs/latest/concepts/authentication/",
    objects: {
      "ScaledObject.spec.triggers[].authenticationRef": "name kind",
      TriggerAuthentication: "apiVersion kind metadata spec",
      "TriggerAuthentication.metadata": "name namespace",
      "TriggerAuthentication.spec":
        "podIdentity secretTargetRef configMapTargetRef env hashiCorpVault azureKeyVault gcpSecretManager awsSecretManager boundServiceAccountToken",
      "TriggerAuthentication.spec.podIdentity":
        "provider identityId identityTenantId identityAuthorityHost roleArn identityOwner",
    },
  },
];

const ECS: readonly Documented[] = [
  page("aws-resource-ecs-cluster", {
    "AWS::ECS::Cluster":
      "CapacityProviders ClusterName ClusterSettings Configuration DefaultCapacityProviderStrategy ServiceConnectDefaults Tags",
  }),
  page("aws-properties-ecs-cluster-clustersettings", {
    "AWS::ECS::Cluster.ClusterSettings[]": "Name Value",
  }),
  page("aws-resource-logs-loggroup", {
    "AWS::Logs::LogGroup":
      "DataProtectionPolicy FieldIndexPolicies KmsKeyId LogGroupClass LogGroupName ResourcePolicyDocument RetentionInDays Tags",
  }),
  page("aws-resource-iam-role", {
    "AWS::IAM::Role":
      "AssumeRolePolicyDocument Description ManagedPolicyArns MaxSessionDuration Path PermissionsBoundary Policies RoleName Tags",
  }),
  page("aws-properties-iam-role-policy", {
    "AWS::IAM::Role.Policies[]": "PolicyDocument PolicyName",
  }),
  {
    url:
      "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html",
    objects: {
      "AWS::IAM::Role.AssumeRolePolicyDocument": "Version Id Statement",
      "AWS::IAM::Role.AssumeRolePolicyDocument.Statement[]":
        "Sid Effect Principal Action Condition",
      "AWS::IAM::Role.AssumeRolePolicyDocument.Statement[].Principal":
        "AWS Federated Service",
      "AWS::IAM::Role.Policies[].PolicyDocument": "Version Id Statement",
      "AWS::IAM::Role.Policies[].PolicyDocument.Statement[]":
        "Sid Effect Action NotAction Resource NotResource Condition",
    },
  },
  page("aws-resource-ecs-taskdefinition", {
    "AWS::ECS::TaskDefinition":
      "ContainerDefinitions Cpu EnableFaultInjection EphemeralStorage ExecutionRoleArn Family IpcMode Memory NetworkMode PidMode PlacementConstraints ProxyConfiguration RequiresCompatibilities RuntimePlatform Tags TaskRoleArn Volumes",
  }),
  page("aws-properties-ecs-taskdefinition-containerdefinition", {
    "AWS::ECS::TaskDefinition.ContainerDefinitions[]":
      "Command Cpu CredentialSpecs DependsOn DisableNetworking DnsSearchDomains DnsServers DockerLabels DockerSecurityOptions EntryPoint Environment EnvironmentFiles Essential ExtraHosts FirelensConfiguration HealthCheck Hostname Image Interactive Links LinuxParameters LogConfiguration Memory MemoryReservation MountPoints Name PortMappings Privileged PseudoTerminal ReadonlyRootFilesystem RepositoryCredentials ResourceRequirements RestartPolicy Secrets StartTimeout StopTimeout SystemControls Ulimits User VersionConsistency VolumesFrom WorkingDirectory",
  }),
  page("aws-properties-ecs-taskdefinition-logconfiguration", {
    "AWS::ECS::TaskDefinition.ContainerDefinitions[].LogConfiguration":
      "LogDriver Options SecretOptions",
  }),
  {
    url:
      "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html",
    objects: {
      "AWS::ECS::TaskDefinition.ContainerDefinitions[].LogConfiguration.Options":
        "awslogs-create-group awslogs-region awslogs-group awslogs-stream-prefix awslogs-datetime-format awslogs-multiline-pattern mode max-buffer-size",
    },
  },
  page("aws-resource-ecs-service", {
    "AWS::ECS::Service":
      "AvailabilityZoneRebalancing CapacityProviderStrategy Cluster DeploymentConfiguration DeploymentController DesiredCount EnableECSManagedTags EnableExecuteCommand ForceNewDeployment HealthCheckGracePeriodSeconds LaunchType LoadBalancers NetworkConfiguration PlacementConstraints PlacementStrategies PlatformVersion PropagateTags Role SchedulingStrategy ServiceConnectConfiguration ServiceName ServiceRegistries Tags TaskDefinition VolumeConfigurations VpcLatticeConfigurations",
  }),
  page("aws-properties-ecs-service-deploymentconfiguration", {
    "AWS::ECS::Service.DeploymentConfiguration":
      "Alarms BakeTimeInMinutes DeploymentCircuitBreaker LifecycleHooks MaximumPercent MinimumHealthyPercent Strategy",
  }),
  page("aws-properties-ecs-service-deploymentcircuitbreaker", {
    "AWS::ECS::Service.DeploymentConfiguration.DeploymentCircuitBreaker":
      "Enable Rollback",
  }),
  page("aws-properties-ecs-service-networkconfiguration", {
    "AWS::ECS::Service.NetworkConfiguration": "AwsvpcConfiguration",
  }),
  page("aws-properties-ecs-service-awsvpcconfiguration", {
    "AWS::ECS::Service.NetworkConfiguration.AwsvpcConfiguration":
      "AssignPublicIp SecurityGroups Subnets",
  }),
  page("aws-resource-applicationautoscaling-scalabletarget", {
    "AWS::ApplicationAutoScaling::ScalableTarget":
      "MaxCapacity MinCapacity ResourceId RoleARN ScalableDimension ScheduledActions ServiceNamespace SuspendedState",
  }),
  page("aws-resource-applicationautoscaling-scalingpolicy", {
    "AWS::ApplicationAutoScaling::ScalingPolicy":
      "PolicyName PolicyType PredictiveScalingPolicyConfiguration ResourceId ScalableDimension ScalingTargetId ServiceNamespace StepScalingPolicyConfiguration TargetTrackingScalingPolicyConfiguration",
  }),
  tracking("targettrackingscalingpolicyconfiguration", {
    "":
      "CustomizedMetricSpecification DisableScaleIn PredefinedMetricSpecification ScaleInCooldown ScaleOutCooldown TargetValue",
  }),
  tracking("customizedmetricspecification", {
    ".CustomizedMetricSpecification":
      "Dimensions MetricName Metrics Namespace Statistic Unit",
  }),
  tracking("targettrackingmetricdataquery", {
    ".CustomizedMetricSpecification.Metrics[]":
      "Expression Id Label MetricStat ReturnData",
  }),
  tracking("targettrackingmetricstat", {
    ".CustomizedMetricSpecification.Metrics[].MetricStat": "Metric Stat Unit",
  }),
  tracking("targettrackingmetric", {
    ".CustomizedMetricSpecification.Metrics[].MetricStat.Metric":
      "Dimensions MetricName Namespace",
  }),
  tracking("targettrackingmetricdimension", {
    ".CustomizedMetricSpecification.Metrics[].MetricStat.Metric.Dimensions[]":
      "Name Value",
  }),
];

function page(name: string, objects: Documented["objects"]): Documented {
  return { url: `${CLOUDFORMATION}${name}.html`, objects };
}

/** A page about target tracking; the paths start at its configuration. */
function tracking(name: string, objects: Documented["objects"]): Documented {
  const at =
    "AWS::ApplicationAutoScaling::ScalingPolicy.TargetTrackingScalingPolicyConfiguration";
  return page(
    `aws-properties-applicationautoscaling-scalingpolicy-${name}`,
    Object.fromEntries(
      Object.entries(objects).map(([path, fields]) => [at + path, fields]),
    ),
  );
}

/** Fields that no page documents, as lines for people. */
function undocumented(
  value: unknown,
  path: string,
  pages: readonly Documented[],
): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((each) => undocumented(each, `${path}[]`, pages));
  }
  if (typeof value !== "object" || value === null) return [];
  if (value instanceof Intrinsic) return [];
  const found = pages.find(({ objects }) => path in objects);
  if (found === undefined) return [`No page documents ${path}`];
  const fields = found.objects[path]!.split(" ");
  return Object.entries(value).flatMap(([name, inner]) => [
    ...(fields.includes(name)
      ? []
      : [`${path} has no field "${name}": see ${found.url}`]),
    ...undocumented(inner, `${path}.${name}`, pages),
  ]);
}

/** A function of CloudFormation, such as `!Ref Queue`. */
class Intrinsic {
  readonly name: string;
  readonly text: string;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }

  /** The logical names that it refers to. */
  get names(): string[] {
    if (this.name === "!Ref") return [this.text];
    if (this.name === "!GetAtt") return [this.text.split(".")[0]!];
    return [...this.text.matchAll(/\$\{([^}]+)\}/g)]
      .map(([, name]) => name!.replace(/(?<!:)\.\w+$/, ""));
  }
}

const INTRINSICS = ["!Ref", "!GetAtt", "!Sub"].map((tag) => ({
  tag,
  resolve: (text: string) => new Intrinsic(tag, text),
}));

// deno-lint-ignore no-explicit-any -- a file may hold anything
type Parsed = any;

/** The documents of a YAML file. */
async function parse(name: string): Promise<Parsed[]> {
  const text = await Deno.readTextFile(new URL(name, DEPLOY));
  return parseAllDocuments(text, { customTags: INTRINSICS }).map((document) => {
    assertEquals([...document.errors, ...document.warnings], [], name);
    visit(document, {
      // CloudFormation takes none, and nobody needs them here.
      Alias: () => assert(false, `${name} has an alias`),
    });
    return document.toJS();
  });
}

async function containerConfig() {
  const path = new URL("adder.ini", DEPLOY).pathname;
  return checkConfig(await readConfig(path));
}

/** How many jobs wait for a minute before a container is added. */
function backlog(concurrency: number): number {
  const [waitSeconds, jobSeconds] = [60, 1];
  return waitSeconds * concurrency / jobSeconds;
}

Deno.test("examples/deploy/keda.yaml has only fields that KEDA documents", async () => {
  const documents = await parse("keda.yaml");
  assertEquals(
    documents.flatMap((each) => undocumented(each, each.kind, KEDA)),
    [],
  );
  for (const { apiVersion } of documents) {
    assertEquals(apiVersion, "keda.sh/v1alpha1");
  }
});

Deno.test("examples/deploy/keda.yaml scales the Deployment by its queue", async () => {
  const [auth, scaled] = await parse("keda.yaml");
  const [config, deployment] = await parse("kubernetes.yaml");
  const { concurrency = 1, prefetch = Math.min(10, concurrency), queue } =
    await containerConfig();
  const { spec } = scaled;
  assertEquals(spec.scaleTargetRef.name, deployment.metadata.name);
  const [trigger] = spec.triggers;
  assertEquals(trigger.type, "aws-sqs-queue");
  assertEquals(trigger.authenticationRef.name, auth.metadata.name);
  const { metadata } = trigger;
  // Kubernetes refuses a number here.
  for (const value of Object.values(metadata)) {
    assertEquals(typeof value, "string");
  }
  assertMatch(
    metadata.queueURL,
    new RegExp(`^https://sqs\\.${metadata.awsRegion}\\..*/${queue}$`),
  );
  assertEquals(
    Number(metadata.queueLength),
    concurrency + prefetch + backlog(concurrency),
  );
  assertEquals(spec.minReplicaCount <= spec.fallback.replicas, true);
  // The pods run the container of their ini file.
  const ini = config.data["adder.ini"];
  assertMatch(ini, new RegExp(`^queue = ${queue}$`, "m"));
  assertMatch(ini, new RegExp(`^concurrency = ${concurrency}$`, "m"));
  assertMatch(ini, new RegExp(`^region = ${metadata.awsRegion}$`, "m"));
});

Deno.test("examples/deploy/ecs.yaml has only fields that CloudFormation documents", async () => {
  const [template] = await parse("ecs.yaml");
  const resources: Parsed[] = Object.values(template.Resources);
  assertEquals(
    resources.flatMap(({ Type, Properties, ...rest }) => [
      ...undocumented(Properties, Type, ECS),
      ...Object.keys(rest).map((name) => `${Type} has "${name}"`),
    ]),
    [],
  );
});

Deno.test("examples/deploy/ecs.yaml names what exists, and scales by the backlog per task", async () => {
  const [{ AWSTemplateFormatVersion, Parameters, Resources }] = await parse(
    "ecs.yaml",
  );
  assertEquals(AWSTemplateFormatVersion, "2010-09-09");
  const known = new Set([
    ...Object.keys(Parameters),
    ...Object.keys(Resources),
    ...["AWS::Partition", "AWS::Region", "AWS::AccountId"],
  ]);
  const names = intrinsicsIn(Resources).flatMap((each) => each.names);
  assertEquals(names.filter((name) => !known.has(name)), []);
  assertEquals(
    Object.keys(Parameters).filter((name) => !names.includes(name)),
    [],
  );

  const { concurrency = 1, queue, failures, shutdownTimeoutSeconds = 25 } =
    await containerConfig();
  assertEquals(Parameters.Queue.Default, queue);
  assertEquals({ queue: Parameters.FailuresQueue.Default }, failures);
  assertEquals(Parameters.BacklogPerTask.Default, backlog(concurrency));
  const [container] = Resources.Task.Properties.ContainerDefinitions;
  // The rule of the operating guide; Fargate allows 120 s.
  assert(container.StopTimeout > shutdownTimeoutSeconds + 10);
  assert(container.StopTimeout <= 120);
  // The expression divides by the running tasks.
  assert(Resources.Scaling.Properties.MinCapacity >= 1);

  const { Metrics } = Resources.Backlog.Properties
    .TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification;
  const ids: string[] = Metrics.map(({ Id }: Parsed) => Id);
  assertEquals(new Set(ids).size, ids.length);
  const returned = Metrics.filter(({ ReturnData }: Parsed) => ReturnData);
  assertEquals(returned.length, 1);
  const used = returned[0].Expression.match(/[a-z]\w*/g);
  assertEquals(used.toSorted(), ids.filter((id) => !isReturned(id)).toSorted());
  function isReturned(id: string): boolean {
    return id === returned[0].Id;
  }
});

function intrinsicsIn(value: unknown): Intrinsic[] {
  if (value instanceof Intrinsic) return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(intrinsicsIn);
}

Deno.test("a field that no page documents is found", () => {
  const wrong = {
    kind: "ScaledObject",
    spec: { maxReplicas: 3, triggers: [{ metadata: { queueLenght: "5" } }] },
  };
  assertEquals(
    undocumented(wrong, "ScaledObject", KEDA).map((line) => line.split(":")[0]),
    [
      'ScaledObject.spec has no field "maxReplicas"',
      'ScaledObject.spec.triggers[].metadata has no field "queueLenght"',
    ],
  );
  assertEquals(undocumented({ a: {} }, "AWS::SQS::Queue", ECS), [
    "No page documents AWS::SQS::Queue",
  ]);
});
