"""The shipped rules: what they make of the alerts that well-known rule sets and our own benchmark send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from triaged.core.keys import fingerprint
from triaged.core.model import Alert, AlertStatus, Category, Impact, Objective, Severity, Urgency, Verdict
from triaged.core.rule import Rule
from triaged.rulefiles import RuleFiles, load

RULES = Path(__file__).parents[2] / "rules"
SHIPPED: RuleFiles = load(RULES)
WORKING_HOURS = datetime(2026, 11, 23, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 23, 3, tzinfo=UTC)
LABELS_FROM_LIGHT_TO_GRAVE = ("info", "warning", "critical")

# Verdict | alert: its name, other labels, the word of its label `severity` | every rule that matches, in order
# (+critical stands for the rule labelled-critical, and so on)
TABLE = """
sev4 degradation | HighErrorRate cluster=staging-1 critical | staging-cluster errors-for-users +critical
sev4 outage | KubeNodeNotReady cluster=eu.dev node=n1 warning | staging-cluster kube-node-not-ready
sev4 degradation | KubePodNotReady namespace=shop-test warning | staging-namespace workload-not-ready
sev4 outage | InstanceDown env=Staging critical | staging-env instance-down +critical
sev4 degradation | DiskFull environment=qa critical | staging-environment disk-almost-full +critical
sev1 security | source=falco rule=escape priority=Critical cluster=sandbox | falco-critical
sev2 degradation | HighErrorRate cluster=developers-1 critical | errors-for-users +critical
sev1 critical_function | BlackboxProbeFailed service=checkout critical | revenue-down most-users-down probe-failed
sev1 outage | ServiceDown service=website | most-users-down probe-failed
sev2 outage | WebsiteDown service=search critical | many-users-down probe-failed
sev3 outage | ProbeFailed service=intranet critical | few-users probe-failed
sev2 outage | ServiceDown service=recommendations critical | probe-failed
sev2 degradation | HighErrorRate service=checkout | revenue-degraded most-users-degraded errors-for-users
sev2 degradation | LatencyP99High service=website warning | most-users-degraded slow-for-users +warning
sev3 degradation | LatencyP99High service=search info | many-users-degraded slow-for-users +info
sev2 degradation | HighErrorRate service=search critical | many-users-degraded errors-for-users +critical
sev3 degradation | HighErrorRate service=intranet critical | few-users errors-for-users +critical
sev1 outage | PostgresqlDown service=postgres-main critical | first-tier-database-down database-down
sev2 degradation | KubeDeploymentReplicasMismatch service=checkout warning | first-tier-short-of-pods workload-not-ready
sev4 error | CPUThrottlingHigh service=checkout info | kube-cosmetics
sev1 security | source=falco rule=escape priority=Critical critical | falco-critical
sev2 security | source=falco rule=shell priority=Warning warning | falco-suspicious
sev3 security | source=falco rule=contact priority=Notice information | falco-notice
sev2 security | SSHBruteForceDetected warning | intrusion
sev3 security | OddLogin category=security warning | security-labelled +warning
sev2 critical_function | VaultSealed critical | vault-sealed
sev1 data_loss | DataCorruption | data-lost
sev1 data_loss | KafkaUncleanLeaderElection critical | data-lost
sev2 data_loss | VeleroHighRestoreFailureRate critical | restore-failed
sev3 data_loss | VeleroBackupFailure critical | backup-failed
sev3 data_loss | KubeJobFailed namespace=db job_name=pg-backup-2811 warning | backup-job-failed
sev2 data_loss | NodeRAIDDegraded critical | raid +critical
sev3 data_loss | NodeRAIDDiskFailure warning | raid +warning
sev2 critical_function | PrometheusRuleFailures critical | prometheus-blind
sev2 critical_function | PrometheusNotIngestingSamples warning | prometheus-blind
sev2 critical_function | AlertmanagerClusterDown critical | alerts-do-not-get-out
sev3 degradation | AlertmanagerFailedToSendAlerts warning | monitoring-degraded +warning
sev2 critical_function | KubeStateMetricsListErrors critical | kube-state-metrics-blind
sev4 error | PrometheusDuplicateTimestamps warning | scrapes-untidy
sev2 degradation | PrometheusRemoteWriteBehind critical | monitoring-degraded +critical
sev3 outage | TargetDown job=api warning | targets-down +warning
sev1 outage | etcdNoLeader job=etcd critical | etcd-no-quorum
sev2 degradation | etcdMembersDown job=etcd warning | etcd-member-down
sev2 critical_function | etcdDatabaseQuotaLowSpace job=etcd critical | etcd-space
sev2 degradation | etcdGRPCRequestsSlow job=etcd critical | etcd-slow +critical
sev3 degradation | EtcdHighFsyncDurations warning | etcd-slow +warning
sev2 outage | KubeAPIDown critical | kube-api-down
sev2 outage | KubeSchedulerDown critical | kube-control-plane-down
sev2 outage | KubeletDown critical | kube-control-plane-down
sev2 degradation | KubeAPIErrorBudgetBurn critical | kube-api-degraded +critical
sev3 degradation | KubeAPIErrorBudgetBurn warning | kube-api-degraded +warning
sev1 outage | CoreDNSDown critical | cluster-dns-down
sev2 degradation | CoreDNSLatencyHigh critical | cluster-dns-degraded +critical
sev3 outage | KubeNodeNotReady node=n1 warning | kube-node-not-ready
sev3 outage | KubernetesNodeNotReady node=n1 critical | kube-node-not-ready
sev3 degradation | KubeNodeReadinessFlapping warning | kube-node-unsteady +warning
sev4 degradation | KubeNodeEviction info | kube-node-unsteady +info
sev2 critical_function | KubeClientCertificateExpiration critical | kube-certificates +critical
sev3 critical_function | KubeletServerCertificateExpiration warning | kube-certificates +warning
sev3 error | KubePodCrashLooping namespace=shop pod=a container=web warning | crash-loop +warning
sev4 error | PodCrashLooping service=svc-4 info | crash-loop +info
sev2 error | PodCrashLooping service=svc-4 critical | crash-loop +critical
sev3 error | HostOomKillDetected warning | out-of-memory-kill +warning
sev3 error | KubeDeploymentRolloutStuck warning | rollout-stuck
sev3 degradation | KubePodNotReady warning | workload-not-ready
sev3 degradation | KubernetesPodNotHealthy critical | workload-not-ready
sev2 outage | KubernetesStatefulsetDown critical | stateful-set-down
sev4 error | KubeJobFailed job_name=mail-1 warning | job-failed
sev4 error | KubernetesCronjobFailing cronjob=mail critical | job-failed
sev2 degradation | KubePersistentVolumeFillingUp critical | volume-almost-full +critical
sev3 degradation | KubePersistentVolumeFillingUp warning | volume-almost-full +warning
sev2 error | KubePersistentVolumeErrors critical | volume-broken +critical
sev3 degradation | KubeHpaMaxedOut warning | autoscaling-at-its-limit
sev4 degradation | KubeMemoryOvercommit warning | cluster-capacity
sev4 error | KubeVersionMismatch warning | kube-cosmetics
sev2 outage | InstanceDown service=svc-1 critical | instance-down +critical
sev3 outage | InstanceDown service=svc-1 warning | instance-down +warning
sev4 outage | InstanceDown service=svc-1 info | instance-down +info
sev2 degradation | DiskFull service=svc-2 critical | disk-almost-full +critical
sev3 degradation | DiskFull service=svc-2 warning | disk-almost-full +warning
sev4 degradation | DiskFull service=svc-2 info | disk-almost-full +info
sev2 degradation | NodeFilesystemSpaceFillingUp critical | disk-almost-full +critical
sev2 data_loss | HostFilesystemDeviceError critical | disk-error +critical
sev2 error | HighCPU critical | +critical
sev4 degradation | HighCPU warning | host-under-load
sev4 degradation | NodeCPUHighUsage info | host-under-load
sev3 degradation | HostOutOfMemory warning | host-out-of-memory +warning
sev3 error | NodeClockSkewDetected warning | clock-wrong
sev3 error | NodeSystemdServiceFailed name=cron.service warning | host-service-failed +warning
sev2 degradation | NodeFileDescriptorLimit critical | host-limits-and-network +critical
sev3 degradation | NodeNetworkReceiveErrs warning | host-limits-and-network +warning
sev2 error | HostNodeOvertemperatureAlarm critical | host-hardware +critical
sev2 outage | PostgreSQLDown warning | database-down
sev2 outage | MySQLDown critical | database-down
sev2 outage | PostgreSQLMaxConnectionsReached warning | database-refuses-connections
sev2 data_loss | MySQLReplicationNotRunning critical | replication-broken
sev3 data_loss | PostgresqlReplicationLag warning | replication-lag
sev3 data_loss | MysqlSlaveReplicationLag critical | replication-lag
sev2 outage | RedisMissingMaster critical | redis-without-one-master
sev3 degradation | RedisOutOfConfiguredMaxmemory warning | redis-memory database-degraded +warning
sev4 degradation | PostgresqlTableNotAutoVacuumed warning | database-maintenance
sev3 degradation | MysqlSlowQueries warning | database-degraded +warning
sev3 degradation | MysqlTooManyConnections(>80%) warning | database-degraded +warning
sev2 outage | KafkaOfflinePartitionCount critical | kafka-unavailable
sev3 data_loss | KafkaUnderReplicatedPartitionCount critical | kafka-under-replicated
sev3 degradation | KafkaConsumerGroupLag consumergroup=mail topic=orders warning | consumer-lag
sev3 degradation | RabbitmqDeadLetterQueueFillingUp queue=dead warning | consumer-lag
sev2 outage | RabbitMQNodeNotDistributed critical | rabbitmq-unavailable
sev3 degradation | RabbitMQMemoryHigh warning | rabbitmq-degraded +warning
sev2 outage | ElasticsearchClusterRed critical | elasticsearch-red
sev3 degradation | ElasticsearchClusterYellow warning | elasticsearch-yellow
sev3 degradation | ElasticsearchHighQueryLatency warning | elasticsearch-degraded +warning
sev2 outage | BlackboxProbeFailed critical | probe-failed
sev2 outage | BlackboxSslCertificateExpired critical | certificate-expired
sev2 critical_function | BlackboxSslCertificateWillExpireVerySoon critical | certificate-expires-within-days
sev3 error | CertManagerCertNotReady critical | certificate-not-renewed
sev4 error | BlackboxSslCertificateWillExpireSoon warning | certificate-expires-soon
sev2 degradation | HighErrorRate service=svc-0 critical | errors-for-users +critical
sev3 degradation | HighErrorRate service=svc-0 warning | errors-for-users +warning
sev4 degradation | HighErrorRate service=svc-0 info | errors-for-users +info
sev3 degradation | HighErrorRate service=svc-0 | errors-for-users
sev2 degradation | LatencyP99High service=svc-3 critical | slow-for-users +critical
sev3 degradation | LatencyP99High service=svc-3 warning | slow-for-users +warning
sev4 degradation | LatencyP99High service=svc-3 info | slow-for-users +info
sev3 error | NginxHighHttp4xxErrorRate critical | client-errors
sev2 error | Anything critical | +critical
sev2 error | Anything Page | +critical
sev2 error | Anything high | +critical
sev3 error | Anything warning | +warning
sev3 error | Anything medium | +warning
sev4 error | Anything info | +info
sev4 error | Anything low | +info
sev3 error | Anything |
sev3 error | Anything none |
sev3 error | Anything turquoise |
"""

DROPPED = ("Watchdog none", "DeadMansSwitch", "PrometheusAlertmanagerE2eDeadManSwitch critical", "InfoInhibitor none")


def labels(text: str) -> dict[str, str]:
    """The labels of an alert written like `KubePodNotReady warning namespace=shop`."""
    words = text.split(" ")
    found = dict(word.split("=", 1) for word in words if "=" in word)
    names = [word for word in words if "=" not in word]
    if names and "source" not in found:
        found["alertname"] = names.pop(0)
    if names:
        found["severity"] = names.pop()
    assert not names, text
    return found


def judge(text: str, at: datetime = WORKING_HOURS) -> Verdict:
    return judge_labels(labels(text), at)


def judge_labels(found: dict[str, str], at: datetime = WORKING_HOURS) -> Verdict:
    alert = Alert(
        fingerprint=fingerprint("alertmanager", found),
        source="alertmanager",
        status=AlertStatus.FIRING,
        labels=found,
        annotations={},
        starts_at=None,
        ends_at=None,
        generator_url="",
        digest=b"",
        raw=b"",
    )
    return SHIPPED.rules.judge(alert, at)


def rows() -> list[tuple[str, str, str, str]]:
    found = []
    for line in TABLE.strip().splitlines():
        verdict, alert, *rules = (cell.strip() for cell in line.split("|"))
        severity, category = verdict.split()
        found.append((severity, category, alert, "".join(rules).replace("+", "labelled-")))
    return found


def named(name: str) -> Rule:
    return next(rule for rule in SHIPPED.rules.rules if rule.name == name)


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(("severity", "category", "alert", "rules"), rows(), ids=[row[2] for row in rows()])
def test_a_well_known_alert_gets_the_verdict_of_the_table(severity: str, category: str, alert: str, rules: str) -> None:
    verdict = judge(alert)
    assert verdict.matched == tuple(rules.split())
    assert (verdict.severity, verdict.category) == (Severity(severity), Category(category))
    assert verdict.dropped is None


@pytest.mark.parametrize("alert", DROPPED)
def test_what_always_fires_is_dropped_with_a_reason_that_promises_nothing(alert: str) -> None:
    dropped = judge(alert).dropped
    assert dropped is not None
    assert "not watch" in dropped or "not watched" in dropped


@pytest.mark.parametrize(
    ("alert", "team"),
    [
        ("Anything critical", "platform"),
        ("KubeNodeNotReady warning", "platform"),
        ("HighErrorRate namespace=shop deployment=checkout-api", "payments"),
        ("PostgreSQLDown job=postgres-main", "data"),
        ("KafkaConsumerGroupLag job=kafka-exporter namespace=events", "data"),
        ("ServiceDown service=website", "storefront"),
        ("Odd service=nobody-knows-it", "platform"),
        ("SuspiciousLogin service=checkout", "security"),
        ("source=falco priority=Notice", "security"),
    ],
)
def test_an_incident_goes_to_the_team_of_the_rule_or_of_the_service_or_to_the_default_team(
    alert: str, team: str
) -> None:
    assert judge(alert).team == team


@pytest.mark.parametrize(
    ("alert", "key"),
    [
        ("Anything", "alertname cluster namespace service"),
        ("HighErrorRate service=svc-7", "alertname cluster namespace service"),
        ("HighErrorRate service=checkout", "service cluster"),
        ("ServiceDown service=search", "service cluster"),
        ("KubePodCrashLooping container=web", "alertname cluster namespace service container"),
        ("KubeJobFailed job_name=mail", "alertname cluster namespace job_name cronjob"),
        ("KubeJobFailed job_name=db-backup", "alertname cluster namespace job_name"),
        ("KubePersistentVolumeFillingUp", "alertname cluster namespace persistentvolumeclaim"),
        ("TargetDown job=api", "alertname cluster namespace job"),
        ("etcdNoLeader job=etcd", "cluster job"),
        ("NodeSystemdServiceFailed name=cron.service", "alertname cluster name"),
        ("KafkaConsumerGroupLag topic=a", "alertname cluster namespace service consumergroup topic queue"),
        ("source=falco rule=shell priority=Warning", "rule hostname k8s_ns_name"),
    ],
)
def test_the_key_is_made_of_these_names(alert: str, key: str) -> None:
    assert [name for name, _ in judge(alert).key.pairs] == key.split()


def test_errors_and_latency_of_a_known_service_are_one_incident_and_those_of_two_clusters_are_two() -> None:
    errors, slow = judge("HighErrorRate service=checkout cluster=a"), judge("LatencyP99High service=checkout cluster=a")
    assert errors.key == slow.key
    assert errors.key != judge("HighErrorRate service=checkout cluster=b").key


@pytest.mark.parametrize(
    ("alert", "minutes"),
    [
        ("KubePodCrashLooping warning", 15),
        ("PodCrashLooping critical", 15),
        ("KafkaLagIsTooHigh critical", 10),
        ("ElasticsearchClusterYellow warning", 15),
        ("KubeNodeNotReady warning", None),
        ("Anything critical", None),
    ],
)
def test_only_what_often_ends_by_itself_is_held_back(alert: str, minutes: int | None) -> None:
    assert judge(alert).delay == (None if minutes is None else timedelta(minutes=minutes))


@pytest.mark.parametrize("at", [WORKING_HOURS, NIGHT])
def test_a_tool_of_a_few_colleagues_is_a_sev4_when_none_of_them_works(at: datetime) -> None:
    expected = Severity.SEV3 if at is WORKING_HOURS else Severity.SEV4
    assert judge("ProbeFailed critical service=intranet", at).severity is expected


def test_security_is_restricted_and_all_else_is_not() -> None:
    for severity, category, alert, _ in rows():
        assert judge(alert).restricted is (category == "security"), (severity, alert)


def test_data_that_was_lost_is_closed_by_a_person() -> None:
    assert judge("DataCorruption").close == "person"


def test_a_stuck_rollout_is_labelled_as_one() -> None:
    assert judge("KubeDeploymentRolloutStuck").labels == ("rollout",)


def test_an_alert_that_no_rule_knows_is_unmatched_and_still_judged() -> None:
    verdict = judge("Anything none")
    assert verdict.unmatched
    assert (verdict.impact, verdict.urgency, verdict.severity) == (Impact.MODERATE, Urgency.HIGH, Severity.SEV3)


# ---------------------------------------------------------------- growth


@pytest.mark.parametrize(
    ("alert", "held", "severity"),
    [
        ("HighErrorRate service=checkout", "revenue-degraded#0", "sev1"),
        ("HighErrorRate critical service=search", "many-users-degraded#0", "sev2"),
        ("HighErrorRate warning service=svc-1", "errors-for-users#0", "sev2"),
        ("LatencyP99High warning service=svc-1", "slow-for-users#0", "sev3"),
        ("ServiceDown service=search", "many-users-down#0", "sev1"),
        ("BlackboxProbeFailed critical", "probe-failed#0", "sev1"),
        ("KubeNodeNotReady warning", "kube-node-not-ready#0", "sev2"),
        ("KubeNodeNotReady warning", "kube-node-not-ready#1", "sev1"),
        ("InstanceDown warning", "instance-down#0", "sev2"),
        ("InstanceDown warning", "instance-down#1", "sev1"),
        ("DiskFull info", "disk-almost-full#0", "sev2"),
        ("KubePodCrashLooping warning", "crash-loop#0", "sev2"),
        ("HostOomKillDetected info", "out-of-memory-kill#0", "sev3"),
        ("KubePodNotReady warning", "workload-not-ready#0", "sev2"),
        ("KubeJobFailed warning", "job-failed#0", "sev3"),
        ("KubeHpaMaxedOut warning", "autoscaling-at-its-limit#0", "sev3"),
        ("NodeCPUHighUsage info", "host-under-load#0", "sev3"),
        ("NodeClockSkewDetected warning", "clock-wrong#0", "sev2"),
        ("KubeAPIDown critical", "kube-api-down#0", "sev1"),
        ("PrometheusRuleFailures critical", "prometheus-blind#0", "sev1"),
        ("VeleroBackupFailure critical", "backup-failed#0", "sev2"),
        ("PostgresqlReplicationLag warning", "replication-lag#0", "sev2"),
        ("KafkaConsumerGroupLag warning", "consumer-lag#0", "sev2"),
    ],
)
def test_growth_makes_an_incident_as_grave_as_this(alert: str, held: str, severity: str) -> None:
    verdict = judge(alert)
    assert held in verdict.growing
    assert SHIPPED.rules.grown(verdict, {held}).severity is Severity(severity)


def test_growth_cannot_leave_staging() -> None:
    verdict = judge("InstanceDown critical cluster=staging-1")
    assert SHIPPED.rules.grown(verdict, set(verdict.growing)).severity is Severity.SEV4


# ---------------------------------------------------------------- the set as a whole


def test_the_shipped_files_give_no_warning() -> None:
    assert load(RULES, today=WORKING_HOURS.date()).warnings == ()


@pytest.mark.parametrize("rule", SHIPPED.rules.rules, ids=lambda rule: rule.name)
def test_a_rule_says_why_in_one_sentence(rule: Rule) -> None:
    for because in (rule.because, *(growth.because for growth in rule.grows)):
        assert because.endswith("."), because
        assert 20 < len(because) < 120, because


def test_every_rule_is_met_by_an_alert_of_the_tables() -> None:
    met = {name for *_, rules in rows() for name in rules.split()}
    met |= {name for alert in DROPPED for name in judge(alert).matched}
    met |= set(judge("ProbeFailed service=intranet", NIGHT).matched)
    assert met == {rule.name for rule in SHIPPED.rules.rules}


def test_every_alert_name_that_a_rule_lists_reaches_that_rule() -> None:
    unreached = []
    for rule in SHIPPED.rules.rules:
        names = [matcher for matcher in rule.match if matcher.name == "alertname" and matcher.values]
        others = [matcher for matcher in rule.match if matcher not in names]
        if names and not rule.service and all(matcher.matches("") for matcher in others):
            listed = sorted(names[0].values or ())
            unreached += [(rule.name, name) for name in listed if rule.name not in judge(name).matched]
    assert unreached == []


def test_no_alert_is_judged_graver_because_its_label_says_less() -> None:
    for _, _, alert, _ in rows():
        found = labels(alert)
        ranks = [judge_labels({**found, "severity": word}).severity.rank for word in LABELS_FROM_LIGHT_TO_GRAVE]
        assert ranks == sorted(ranks, reverse=True), alert


def test_no_label_alone_makes_a_sev1() -> None:
    for word in ("critical", "page", "emergency", "disaster", "p1"):
        assert judge(f"Anything {word}").severity is Severity.SEV2


def test_a_rule_about_an_alert_that_hurts_users_lists_the_same_names_as_its_siblings() -> None:
    down, degraded = named("revenue-down").match, named("revenue-degraded").match
    assert {named(name).match for name in ("most-users-down", "many-users-down")} == {down}
    assert {named(name).match for name in ("most-users-degraded", "many-users-degraded")} == {degraded}


def test_the_matrix_never_falls_when_impact_or_urgency_rises() -> None:
    matrix = SHIPPED.rules.matrix
    table = [[matrix[impact][urgency].rank for urgency in Urgency] for impact in Impact]
    assert all(row == sorted(row) for row in table)
    assert all(list(column) == sorted(column) for column in zip(*table, strict=True))


def test_the_targets_are_those_of_the_incident_process() -> None:
    targets = {
        severity: [policy.targets[objective].text for objective in Objective]
        for severity, policy in SHIPPED.policy.severities.items()
    }
    assert targets == {
        Severity.SEV1: ["15m", "4h"],
        Severity.SEV2: ["1h", "8h"],
        Severity.SEV3: ["4h", "3d"],
        Severity.SEV4: ["1bd", "5d"],
    }


def test_only_sev1_and_sev2_need_a_person_to_close_them_and_have_acknowledgements_that_end() -> None:
    for severity, policy in SHIPPED.policy.severities.items():
        grave = severity in (Severity.SEV1, Severity.SEV2)
        assert policy.close == ("person" if grave else "daemon")
        assert (policy.acknowledgement_for is not None) is grave
        assert policy.reopen_within == timedelta(hours=24)


def test_the_shipped_working_day_ends_at_the_same_time_on_the_next_working_day() -> None:
    friday = datetime(2026, 11, 27, 15, tzinfo=UTC)
    due = SHIPPED.policy.due(Severity.SEV4, Objective.RESPONSE, friday)
    assert due == datetime(2026, 11, 30, 15, tzinfo=UTC)
