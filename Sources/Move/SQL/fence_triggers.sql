-- Which tables of this database have a trigger of the fence, and does it hold for everybody there? (14+)
SELECT n.nspname, c.relname, t.tgenabled = 'A' AS holds
  FROM pg_trigger t
  JOIN pg_class c ON c.oid = t.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE t.tgname = 'martlet_fence' AND t.tgfoid = to_regprocedure('martlet.fence()')
 ORDER BY 1, 2
