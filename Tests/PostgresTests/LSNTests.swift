import Postgres
import Testing

struct LSNTests {
    @Test(arguments: [("0/0", 0), ("16/B374D848", 0x16_B374_D848), ("FFFFFFFF/FFFFFFFF", UInt64.max), ("0/1", 1)])
    func `a position reads and prints as servers do`(text: String, value: UInt64) {
        #expect(LSN(text) == LSN(value))
        #expect(LSN(value).description == text)
    }

    @Test(arguments: ["", "/", "0", "0/", "/0", "0/0/0", "+1/2", "1/-2", "g/0", "100000000/0", "0/100000000", " 0/0"])
    func `what is no position is refused`(text: String) {
        #expect(LSN(text) == nil)
    }

    @Test func `distance is never negative`() {
        #expect(LSN(10).bytes(since: LSN(4)) == 6)
        #expect(LSN(4).bytes(since: LSN(10)) == 0)
        #expect(LSN(4) < LSN(10))
    }
}
