// One of N words of W bits: a tree of 2-way multiplexers, (N - 1) * W of them.
// Indices from N on give some word or other; who asks for them ignores the answer.
module select #(parameter N = 8, parameter W = 16, parameter B = (N > 1) ? $clog2(N) : 1) (
    input  [N*W-1:0] words,  // word i in bits i*W and up
    input  [B-1:0]   index,
    output [W-1:0]   word
);
    generate
        if (N == 1) begin : one
            assign word = words;
        end else begin : tree
            // The lowest index bit chooses within each pair, the rest of the index among the winners.
            localparam HALF = (N + 1) / 2;
            localparam REST = (HALF > 1) ? $clog2(HALF) : 1;
            wire [HALF*W-1:0] winners;
            wire [REST-1:0] rest = index >> 1;
            genvar i;
            for (i = 0; i < HALF; i = i + 1) begin : pair
                if (2 * i + 1 < N)
                    assign winners[i*W +: W] = index[0] ? words[(2*i+1)*W +: W] : words[2*i*W +: W];
                else
                    assign winners[i*W +: W] = words[2*i*W +: W];
            end
            select #(.N(HALF), .W(W), .B(REST)) next (.words(winners), .index(rest), .word(word));
        end
    endgenerate
endmodule
