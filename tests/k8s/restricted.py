"""What every pod must keep: Kubernetes' restricted Pod Security Standard, and what this project asks beyond it."""

from tests.k8s.manifests import Object, container_of, pod_of

USER = 10001
"""The image's user."""


def faults(workload: Object) -> list[str]:
    """What is wrong with a workload's pods; empty when nothing is."""
    return [*_pod_faults(pod_of(workload)), *_container_faults(container_of(workload))]


def _pod_faults(pod: Object) -> list[str]:
    context = pod.get("securityContext", {})
    return [
        message
        for is_right, message in (
            (context.get("runAsNonRoot") is True, "may run as root"),
            (context.get("runAsUser") == USER, f"does not run as user {USER}"),
            (context.get("seccompProfile") == {"type": "RuntimeDefault"}, "may make any system call"),
            (pod.get("automountServiceAccountToken") is False, "is given a token of the API server"),
            (pod.get("enableServiceLinks") is False, "is given variables of other services, which look like settings"),
            (
                not any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")),
                "shares the machine's namespaces",
            ),
            (not any("hostPath" in volume for volume in pod.get("volumes", [])), "mounts a folder of the machine"),
            (not pod.get("initContainers"), "has an init container, which these rules do not look at"),
        )
        if not is_right
    ]


def _container_faults(container: Object) -> list[str]:
    context = container.get("securityContext", {})
    requests, limits = (container.get("resources", {}).get(name, {}) for name in ("requests", "limits"))
    mounts = {mount["mountPath"] for mount in container.get("volumeMounts", [])}
    return [
        message
        for is_right, message in (
            (context.get("allowPrivilegeEscalation") is False, "may gain privileges"),
            (context.get("readOnlyRootFilesystem") is True, "may write to its image"),
            (context.get("capabilities") == {"drop": ["ALL"]}, "keeps capabilities"),
            (not context.get("privileged"), "is privileged"),
            ("/tmp" in mounts, "has nowhere to put a temporary file"),
            ("cpu" in requests and "memory" in requests, "does not say what it needs"),
            (limits.get("memory") == requests.get("memory") is not None, "may take memory that others were promised"),
            (not any("hostPort" in port for port in container.get("ports", [])), "listens on the machine itself"),
        )
        if not is_right
    ]
