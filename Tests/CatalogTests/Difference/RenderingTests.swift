import Testing

@testable import Catalog

struct RenderingTests {
    @Test(arguments: [
        ("SELECT t.a, t.b FROM public.t WHERE (t.a > 0)", "SELECT a,\n  b FROM public.t WHERE (a > 0)"),
        ("SELECT c.id FROM shop.customer c ORDER BY c.id", "SELECT id FROM shop.customer c ORDER BY id"),
        ("SELECT \"T x\".a FROM public.\"T x\"", "SELECT a FROM public.\"T x\""),
        (
            "SELECT o.a FROM public.o WHERE (EXISTS ( SELECT FROM public.p WHERE (p.a = o.a)))",
            "SELECT a FROM public.o WHERE (EXISTS ( SELECT FROM public.p WHERE (p.a = o.a)))"
        ),
    ]) func `a column without its table is the same column`(qualified: String, plain: String) {
        #expect(Rendering.isSame(qualified, plain, of: "definition", versions: (14, 18)))
        #expect(Rendering.isSame(plain, qualified, of: "definition", versions: (17, 15)))
        #expect(!Rendering.isSame(qualified, plain, of: "definition", versions: (16, 18)))
        #expect(!Rendering.isSame(qualified, plain, of: "comment", versions: (14, 18)))
    }

    @Test(arguments: [
        ("SELECT t.a FROM public.t", "SELECT b FROM public.t"),
        ("SELECT t.a FROM public.t", "SELECT t.a FROM t"),
        ("SELECT t.a FROM public.t", "SELECT a FROM other.t"),
        ("SELECT t.f(t.a) FROM public.t", "SELECT f(a) FROM public.t"),
        ("SELECT (t.a)::public.x FROM public.t", "SELECT (a)::x FROM public.t"),
        ("SELECT t.a FROM public.t", "SELECT a FROM public.t WHERE true"),
        ("SELECT 't.a' FROM public.t", "SELECT 'a' FROM public.t"),
        ("SELECT t.a FROM public.t", "SELECT t.a, t.a FROM public.t"),
    ]) func `anything else that is missing is a difference`(qualified: String, plain: String) {
        #expect(!Rendering.isSame(qualified, plain, of: "definition", versions: (15, 16)))
    }
}
