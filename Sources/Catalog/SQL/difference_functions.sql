-- Which functions, procedures and aggregates are there, and what is each one? (14+)
SELECT 'pg_proc'::regclass AS catalog, p.oid, NULL::text AS parent,
       CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END AS kind,
       (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity AS name,
       CASE WHEN p.prokind <> 'a' THEN jsonb_build_object('definition', pg_get_functiondef(p.oid))
            ELSE jsonb_build_object(
              'arguments', pg_get_function_arguments(p.oid),
              'result', pg_get_function_result(p.oid),
              'parallel', p.proparallel::text,
              'kind', a.aggkind::text, 'direct arguments', a.aggnumdirectargs::text,
              'transition', nullif(a.aggtransfn::text, '-'), 'final', nullif(a.aggfinalfn::text, '-'),
              'combine', nullif(a.aggcombinefn::text, '-'), 'serialize', nullif(a.aggserialfn::text, '-'),
              'deserialize', nullif(a.aggdeserialfn::text, '-'), 'moving transition', nullif(a.aggmtransfn::text, '-'),
              'moving inverse', nullif(a.aggminvtransfn::text, '-'), 'moving final', nullif(a.aggmfinalfn::text, '-'),
              'final arguments', format('%s %s %s %s', a.aggfinalextra, a.aggmfinalextra, a.aggfinalmodify, a.aggmfinalmodify),
              'sort operator', CASE WHEN a.aggsortop <> 0 THEN a.aggsortop::regoperator::text END,
              'state', format_type(a.aggtranstype, NULL), 'state size', nullif(a.aggtransspace, 0)::text,
              'moving state', CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END,
              'initial', a.agginitval, 'moving initial', a.aggminitval) END AS properties
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'martlet')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype IN ('e', 'i'))
