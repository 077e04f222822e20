//! What is asked: some hundreds of queries over the whole language.

/// Queries, with alternatives between `‹` and `›`: each line stands for all its combinations.
const TEMPLATES: &str = r#"
requests_total
requests_total{code="200"}
requests_total{code!="200", pod=~"web-.*"}
{__name__=~"memory.*|limit.*", namespace!~"st.+"}
requests_total{pod="nobody"}
memory_bytes offset ‹5m|-2m›
memory_bytes @ ‹1700003600|1700001000.5|start()|end()›
‹rate|increase|delta|idelta|irate|changes|resets|deriv›(requests_total[‹1m|5m|40m›])
‹avg|min|max|sum|count|last|present|stddev|stdvar›_over_time(memory_bytes[‹1m|10m›])
‹avg|min|max|sum|count|last›_over_time(odd[2m])
quantile_over_time(‹0|0.3|0.99|1|2|-1›, memory_bytes[10m])
predict_linear(memory_bytes[10m], ‹60|3600|-60›)
‹rate|increase›(requests_total{code="500"}[5m] offset ‹1m|-1m›)
‹max|avg›_over_time(rate(requests_total[2m])[10m:‹1m|30s|›])
sum_over_time((memory_bytes > bool 20000000)[15m:45s])
min_over_time(sum by (namespace) (rate(requests_total[1m]))[10m:1m] offset 3m)
‹sum|avg|min|max|count|group|stddev|stdvar›(memory_bytes)
‹sum|avg|min|max|count|stddev› ‹by|without› (namespace) (rate(requests_total[5m]))
‹sum|max› without (code, pod) (requests_total)
‹topk|bottomk›(‹0|1|2|100›, requests_total)
‹topk|bottomk›(1, memory_bytes) by (namespace)
quantile(‹0|0.5|0.9|1›, memory_bytes)
quantile by (namespace) (0.25, requests_total)
count_values("value", limit_bytes)
count_values by (namespace) ("bytes", limit_bytes)
memory_bytes ‹+|-|*|/|%|^› ‹2|-3.5|0›
abs(memory_bytes atan2 limit_bytes)
‹2|-3.5|0› ‹+|-|*|/|%|^› odd
memory_bytes ‹==|!=|>|<|>=|<=› 20480000
memory_bytes ‹==|!=|>|<|>=|<=› bool 20480000
20480000 ‹>|<=› memory_bytes
odd ‹>|<|==|!=› ‹0|NaN|Inf›
memory_bytes ‹+|-|*|/|>|<=› limit_bytes
memory_bytes ‹/|> bool› on (namespace, pod) limit_bytes
memory_bytes / ignoring (code) limit_bytes
requests_total ‹*|+|>› on (namespace, pod) group_left memory_bytes
memory_bytes / on (namespace, pod) group_right () requests_total
sum by (namespace, pod) (requests_total) / on (namespace) group_left sum by (namespace) (requests_total)
requests_total / on (pod) group_left (namespace) memory_bytes
memory_bytes ‹and|or|unless› limit_bytes
memory_bytes ‹and|or|unless› on (namespace) limit_bytes{pod="web-0"}
memory_bytes{namespace="shop"} or memory_bytes
requests_total / on (namespace) memory_bytes
memory_bytes + on (namespace) limit_bytes
-memory_bytes
-(requests_total - 5) ^ 2
‹abs|ceil|floor|exp|ln|log2|log10|sqrt|sgn›(odd)
‹sin|cos|tan|asin|acos|atan|sinh|cosh|tanh|asinh|acosh|atanh|deg|rad›(odd / 6)
round(odd)
round(memory_bytes, ‹10|0.1|4096›)
clamp(odd, ‹-1|2|NaN›, ‹1|3›)
‹clamp_min|clamp_max›(odd, ‹0|-2|NaN›)
‹hour|minute|month|year|day_of_week|day_of_month|day_of_year|days_in_month›()
‹hour|minute|month|year|day_of_week|day_of_month|days_in_month›(memory_bytes * 100)
time()
time() - timestamp(memory_bytes)
timestamp(memory_bytes offset 1m)
timestamp(sum(memory_bytes))
vector(‹1|time()|scalar(sum(memory_bytes))›)
scalar(‹memory_bytes|memory_bytes{pod="db-0"}›)
pi() * ‹2|memory_bytes›
‹absent|count›(‹nothing|nothing{a="b", c=~"d"}|memory_bytes|nothing{a="b", a="c"}›)
absent_over_time(‹nothing{a="b"}|memory_bytes|memory_bytes{pod="job-x"}›[‹1m|10m›])
absent(sum(nothing{a="b"}))
label_replace(memory_bytes, "app", "$1", "pod", "(.*)-.*")
label_replace(memory_bytes, ‹"app"|"namespace"›, ‹"x${1}y"|""›, ‹"pod"|"none"›, ‹"web-(.)"|".*"›)
label_join(memory_bytes, "both", ‹"/"|""›, "namespace", "pod", "none")
‹sort|sort_desc›(memory_bytes)
histogram_quantile(‹0|0.5|0.9|0.99|1|-1|2›, rate(latency_bucket[5m]))
histogram_quantile(0.9, sum by (le) (rate(latency_bucket[‹2m|30m›])))
histogram_quantile(‹0.5|0.99›, latency_bucket{le!="1"})
histogram_quantile(0.5, latency_bucket{le!="+Inf"})
sum(rate(requests_total{code="500"}[5m])) / sum(rate(requests_total[5m]))
sum by (namespace) (rate(requests_total{code="500"}[5m])) / ignoring (code) sum by (namespace) (rate(requests_total[5m])) > 0.4
(sum by (namespace) (memory_bytes) > 30000000) * on (namespace) group_left (pod) topk by (namespace) (1, memory_bytes)
max by (pod) (memory_bytes) unless on (pod) (limit_bytes > 40000000)
1 ‹+|-|*|/|%|^› 3 ‹*|^› 2
1 ‹==|<|>=› bool 2
‹0x1F|1e3|.5|Inf|-Inf|NaN›
"a text"
memory_bytes[‹1m|2m›]
sum_over_time(memory_bytes[5m:1m] @ 1700003600)
requests_total and on () (time() > 1700005000)
avg(avg_over_time(odd{kind="zero"}[5m])) or vector(7)
count(requests_total) by (namespace) == 4
"#;

/// All of them.
pub(crate) fn all() -> Vec<String> {
    TEMPLATES.lines().filter(|line| !line.is_empty()).flat_map(expanded).collect()
}

fn expanded(template: &str) -> Vec<String> {
    let Some((before, rest)) = template.split_once('‹') else { return vec![template.to_owned()] };
    let (choices, after) = rest.split_once('›').expect("alternatives end");
    let ends = expanded(after);
    let with = |choice: &str| {
        ends.iter().map(move |end| format!("{before}{choice}{end}")).collect::<Vec<_>>()
    };
    choices.split('|').flat_map(with).collect()
}
