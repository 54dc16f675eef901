-- Which subscriptions does this database have? Their connection strings stay unread. (14+)
SELECT subname AS name, subenabled AS is_enabled
  FROM pg_subscription
 WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY subname
