import Foundation
import Testing

@testable import Move

struct RequestTests {
    @Test(arguments: [
        ("rollback", #"{"isDryRun": true, "keepsWayBack": true}"#, "a rehearsal of the rollback"),
        ("cutover", #"{"isDryRun": false, "keepsWayBack": true}"#, "the cutover"), ("verify", "{}", "a comparison"),
        ("abort", #"{"dropsCopy": true}"#, "the end of the move (abort)"), ("cutover", "?", "the cutover"),
    ])
    func `the log says what is asked for`(kind: String, arguments: String, title: String) {
        #expect(Ask.title(kind, arguments: Data(arguments.utf8)) == title)
    }
}
