"""Workers get their share of a GPU: of one that Ray is told of, since none is here."""

import onnxruntime
import pytest
import ray

from srgan.cluster import crew, plan
from srgan.cluster.crew import Crew
from srgan.models import engines

pytestmark = pytest.mark.slow


@pytest.fixture
def one_gpu():
    """A Ray of four cores and a GPU."""
    options = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
    ray.init(num_cpus=4, num_gpus=1, object_store_memory=80_000_000, **options)
    yield
    ray.shutdown()


@pytest.fixture
def start(tmp_path, tiny_model):
    """Starts a worker with half of a GPU."""
    asked = plan.Plan(str(tmp_path / "large"), str(tiny_model), gpus=0.5)
    task = plan.task_of(asked, plan.prepared(asked), asked.destination, "hash")
    return lambda: crew.worker(task)


@pytest.mark.parametrize(("wanted", "started"), [(None, 2), (3, 3)])
def test_two_workers_share_a_gpu_and_a_third_one_waits(one_gpu, start, wanted, started):
    """Though there are cores for four."""
    workers = Crew(start, 1, 0.5, wanted)
    workers.staff()
    assert len(workers.starting) == started
    ready, waiting = ray.wait(list(workers.starting), num_returns=2, timeout=60)
    assert (len(ready), len(waiting)) == (2, started - 2)
    assert not waiting or not ray.wait(waiting, timeout=5)[0]
    assert ray.available_resources().get("GPU", 0) == 0
    for promise in ready:
        actor = workers.starting[promise].actor
        assert ray.get(actor.__ray_call__.remote(lambda _: ray.get_gpu_ids())) == [0]
    workers.end()


def test_a_worker_whose_runtime_computes_on_no_gpu_says_so(one_gpu, start):
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("it does here")
    workers = Crew(start, 1, 0.5, 1)
    workers.staff()
    (promise,) = workers.starting
    ray.wait([promise])
    said = r"has no use of a GPU: ONNX Runtime .* Install onnxruntime-gpu in place of onnxruntime"
    with pytest.raises(ValueError, match=said):
        workers.welcome(promise)
    workers.end()
    assert engines._providers == ["CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gpus": 1.5}, r"has 1\.5 GPUs; expected a share of one, or whole ones"),
        ({"gpus": 1, "engine": "openvino"}, "openvino does not compute on GPUs. Choose"),
    ],
)
def test_what_is_no_share_of_a_gpu_is_refused(tmp_path, tiny_model, changes, said):
    with pytest.raises(ValueError, match=said):
        plan.prepared(plan.Plan(str(tmp_path), str(tiny_model), **changes))
