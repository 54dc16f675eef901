-- Lets writers pass the triggers of the fence, if it is there, without a lock on any table. (14+)
DO $martlet$
BEGIN
    IF to_regprocedure('martlet.fence()') IS NOT NULL THEN
        CREATE OR REPLACE FUNCTION martlet.fence() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    END IF;
END
$martlet$
