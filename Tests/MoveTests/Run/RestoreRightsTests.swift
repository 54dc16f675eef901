import Postgres
import Testing

@testable import Move

struct RestoreRightsTests {
    @Test func `grants lose the role that granted, and names lose nothing`() {
        let script: SQL = """
            -- Name: TABLE a"b; Type: ACL
            SET SESSION AUTHORIZATION bob;
            GRANT ALL ON TABLE public."a""b" TO alice;
            RESET SESSION AUTHORIZATION;
            GRANT ALL ON TABLE public."x
            SET SESSION AUTHORIZATION bob;
            " TO alice;
            SET SESSION AUTHORIZATION bob;
            """
        let kept: SQL = """
            -- Name: TABLE a"b; Type: ACL
            GRANT ALL ON TABLE public."a""b" TO alice;
            GRANT ALL ON TABLE public."x
            SET SESSION AUTHORIZATION bob;
            " TO alice;
            """
        #expect(RestoreRights.withoutGrantors(script) == kept)
    }
}
