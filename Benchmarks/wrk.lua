-- The same load for both sides: GET of random paths of a file, or POST of random bodies of a file, one a line.
-- Environment: BENCH_PATHS, or BENCH_TARGET with BENCH_BODIES.
local requests = {}

function init()
  math.randomseed(os.time())
  if os.getenv("BENCH_BODIES") then
    wrk.headers["Content-Type"] = "application/json"
    for body in io.lines(os.getenv("BENCH_BODIES")) do
      requests[#requests + 1] = wrk.format("POST", os.getenv("BENCH_TARGET"), nil, body)
    end
  else
    for path in io.lines(os.getenv("BENCH_PATHS")) do
      requests[#requests + 1] = wrk.format("GET", path)
    end
  end
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%f,"bytes":%d,"p50":%f,"p99":%f,"errors":%d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
