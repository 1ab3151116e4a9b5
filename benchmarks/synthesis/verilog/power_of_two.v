// Levels that stand for 2^(BASE + k - 1), k = 1 .. N: a leading-one detector, no comparator. One update each cycle.
//
// NEAREST rounds to the nearer level, which the bit behind the leading one tells (boundary 1.5 times the lower one);
// without it the largest level that is reached counts. Thresholds that W bits cannot hold are never reached. BASE is
// wired: the shift that aligns a projection with the accumulator brings every population to the same base.
module power_of_two #(
    parameter N = 8, parameter W = 16, parameter SIGNED = 0, parameter NEAREST = 1, parameter BASE = 1,
    parameter B = $clog2(N + 1), parameter TOP = (BASE + N < W) ? N : W - BASE
) (
    input            clk,
    input  [W-1:0]   state,
    input  [W-1:0]   x,
    output [B-1:0]   level,
    output           negative,
    output [W-1:0]   residual
);
    reg [W-1:0] v;
    always @(posedge clk) v <= state + x;

    assign negative = SIGNED ? v[W-1] & (level != 0) : 1'b0;
    wire [W-1:0] magnitude = SIGNED & v[W-1] ? -v : v;
    wire none = SIGNED ? 1'b0 : v[W-1];         // below zero without a negative side

    // reach[k]: level k + 1 is reached, from above: its own bit or any higher one.
    integer i;
    reg [TOP:0] reach;
    reg [B-1:0] index;
    reg [W-1:0] value;
    reg above;
    always @* begin
        reach = 0;
        above = 0;
        for (i = W - 1; i >= 0; i = i - 1) begin
            // Of the boundary 1.5 * 2^(i-1) + ..: the bit itself and all above it, or both bits below it.
            if (NEAREST && i > BASE && i - BASE < TOP)
                reach[i-BASE] = above | magnitude[i] | (magnitude[i-1] & magnitude[i-2]);
            else if (i >= BASE && i - BASE < TOP)
                reach[i-BASE] = above | magnitude[i];
            above = above | magnitude[i];
        end
        if (none) reach = 0;
        index = 0;
        value = 0;
        for (i = 0; i < TOP; i = i + 1) begin
            index = index | ({B{reach[i] & ~reach[i+1]}} & (i + 1));
            value[BASE+i] = reach[i] & ~reach[i+1];
        end
    end
    assign level = index;
    assign residual = (SIGNED & v[W-1]) ? v + value : v - value;
endmodule
