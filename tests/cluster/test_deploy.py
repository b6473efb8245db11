"""What `deploy/ray` and `deploy/ray-serve` hold is valid by the schemas of those who read it."""

import gzip
import json
import shlex
from pathlib import Path

import pytest

jsonschema = pytest.importorskip("jsonschema")
yaml = pytest.importorskip("yaml")
ray = pytest.importorskip("ray")

DEPLOY = Path(__file__).parents[2] / "deploy"
SCHEMAS = Path(__file__).parent / "schemas"


def read(name):
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def strict(schema):
    """A schema that takes no fields but those it knows, as Kubernetes does if asked to."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    return made


@pytest.fixture(scope="module")
def job_schema():
    data = gzip.decompress((SCHEMAS / "rayjob.json.gz").read_bytes())
    schema = strict(json.loads(data)["schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def test_the_cluster_s_configuration_is_one_of_ray():
    schema = json.loads(
        (Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text(encoding="utf-8")
    )
    cluster = read("ray/cluster.yaml")
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]


def test_the_job_is_one_of_kuberay(job_schema):
    jsonschema.validate(read("ray/kuberay.yaml"), job_schema)


def test_a_misspelt_field_of_the_job_would_be_found(job_schema):
    job = read("ray/kuberay.yaml")
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplica"] = 3
    with pytest.raises(jsonschema.ValidationError, match="maxReplica"):
        jsonschema.validate(job, job_schema)


def test_the_job_s_command_is_one_of_srgan(capsys):
    from srgan.cli import app

    program, command, *arguments = shlex.split(read("ray/kuberay.yaml")["spec"]["entrypoint"])
    assert program == "srgan"
    import typer

    known = typer.main.get_command(app).commands[command]
    context = known.make_context(command, arguments)
    assert context.params["source"].startswith("s3://")


def test_the_service_s_configuration_is_one_of_ray_serve():
    schema = pytest.importorskip("ray.serve.schema")
    found = schema.ServeDeploySchema.model_validate(read("ray-serve/serve.yaml"))
    assert [one.name for one in found.applications[0].deployments] == ["Upscaler", "Gate"]
