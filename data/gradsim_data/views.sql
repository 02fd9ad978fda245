-- The tables of a run in DuckDB: cells, layers, histograms and summary, as run.cells() ... run.summary() give them.
--
--   cd out/run; duckdb -init views.sql          or in Python: duckdb.sql("set file_search_path = 'out/run'")
--
-- Only tables that a manifest names count: a killed run may have left others.

create or replace temp view committed as
select regexp_extract(part.path, '[^/]*$') as file, split_part(part.path, '/', 2) as kind
from (
    select unnest([parts.layers, parts.histograms]) as part
    from read_json('manifests/*.json', columns = {parts: 'STRUCT(layers STRUCT(path VARCHAR), histograms STRUCT(path VARCHAR))'})
);

create or replace temp view cells as select * from read_parquet('cells.parquet', hive_partitioning = false);

-- Networks of each bin, low <= value < high in natural log: a bin is 1/16 of an octave of the plain value.
create or replace temp view histograms as
select
    cell_id, layer, quantity, bin, sum(networks)::bigint as networks,
    bin * ln(2) / 16 as low, (bin + 1) * ln(2) / 16 as high
from read_parquet('data/histograms/*.parquet', filename = true, hive_partitioning = false)
where regexp_extract(filename, '[^/\\]*$') in (select file from committed where kind = 'histograms')
group by cell_id, layer, quantity, bin;

-- Sums are exact: values are whole numbers in units of 2^-20, their squares are split into two columns.
create or replace temp view sums as
select
    cell_id, layer, quantity,
    sum(networks)::bigint as networks, sum(dead)::bigint as dead, sum(nonfinite)::bigint as nonfinite,
    (sum(networks) - sum(dead) - sum(nonfinite))::bigint as live,
    sum(total)::hugeint as total, sum(square_high)::hugeint * 1125899906842624 + sum(square_low)::hugeint as squares,
    min(min) as min, max(max) as max
from read_parquet('data/layers/*.parquet', filename = true, hive_partitioning = false)
where regexp_extract(filename, '[^/\\]*$') in (select file from committed where kind = 'layers')
group by cell_id, layer, quantity;

-- Quantiles are linear inside a bin; dead networks come first, as -inf.
create or replace temp view quantiles as
with wanted as (select unnest([0.05, 0.25, 0.5, 0.75, 0.95]) as p),
ranks as (
    select s.cell_id, s.layer, s.quantity, p, s.min, s.max, s.live, s.dead, p * (s.live + s.dead) - s.dead as rank
    from sums as s cross join wanted
),
steps as (
    select *, sum(networks) over (partition by cell_id, layer, quantity order by bin) as reached from histograms
),
places as (
    select r.*, b.low, b.high, b.networks, b.reached
    from ranks as r left join steps as b
        on b.cell_id = r.cell_id and b.layer = r.layer and b.quantity = r.quantity
        and b.reached >= r.rank and b.reached - b.networks < greatest(r.rank, 1e-9)
)
select
    cell_id, layer, quantity, p,
    case
        when live + dead = 0 then null
        when live = 0 or rank < 0 or (rank = 0 and dead > 0) then '-inf'::double
        else greatest(low, min) + (1 - (reached - rank) / networks) * (least(high, max) - greatest(low, min))
    end as value
from places;

create or replace temp view layers as
select
    s.cell_id, s.layer, s.quantity, s.networks, s.dead, s.nonfinite,
    s.total / (s.live * 1048576.0) as mean,
    case when s.live > 1 then sqrt((s.live * s.squares - s.total * s.total) / (s.live * (s.live - 1.0))) / 1048576.0 end as std,
    std / sqrt(s.live) as se, s.min, s.max,
    max(q.value) filter (q.p = 0.05) as q05, max(q.value) filter (q.p = 0.25) as q25,
    max(q.value) filter (q.p = 0.5) as median, max(q.value) filter (q.p = 0.75) as q75,
    max(q.value) filter (q.p = 0.95) as q95
from sums as s left join quantiles as q using (cell_id, layer, quantity)
group by all;

-- Of log_gain at layer 1; decades are of the gradient's norm. Annealed numbers need gradsim.
create or replace temp view summary as
select
    c.*, g.mean as quenched_log_gain, g.se as quenched_se, g.median as median_log_gain, g.std, g.q05, g.q95,
    g.mean / (2 * ln(10)) as decades, d.dead / d.networks as dead_fraction, d.nonfinite / d.networks as nonfinite_fraction,
    d.networks = c.networks as complete
from cells as c
left join layers as g on g.cell_id = c.cell_id and g.layer = 1 and g.quantity = 'log_gain'
left join layers as d on d.cell_id = c.cell_id and d.layer = 1 and d.quantity = 'log_delta'
order by c.cell_id;
